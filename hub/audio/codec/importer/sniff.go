package importer

import "bytes"

// sniff returns the kind of a file by its first bytes: one that Track.Kind
// knows, or the reason why it cannot be read.
func sniff(head []byte) string {
	at := func(i int, s string) bool {
		return len(head) >= i+len(s) && string(head[i:i+len(s)]) == s
	}
	switch {
	case len(head) == 0:
		return "the file is empty"
	case at(0, "fLaC"):
		return "flac"
	case at(0, "RIFF") && at(8, "WAVE"):
		return "wav"
	case at(0, "RF64"), at(0, "BW64"):
		return "WAV files beyond 4 GiB (RF64) are not supported"
	case at(0, "OggS"):
		return sniffOgg(head)
	case at(4, "ftyp"):
		return "AAC and ALAC in MP4 are not supported"
	case at(0, "FORM"):
		return "AIFF is not supported"
	case at(0, "MAC "):
		return "Monkey's Audio is not supported"
	case at(0, "wvpk"):
		return "WavPack is not supported"
	case at(0, "DSD "), at(0, "FRM8"):
		return "DSD is not supported"
	case at(0, "\x30\x26\xb2\x75"):
		return "WMA is not supported"
	case at(0, "ADIF"):
		return "AAC is not supported"
	}
	// MPEG: 11 bits of sync, then version and layer.
	if len(head) >= 4 && head[0] == 0xFF && head[1]&0xE0 == 0xE0 {
		switch version, layer := head[1]>>3&3, head[1]>>1&3; layer {
		case 1:
			if version == 0 {
				return "MPEG 2.5 (MP3 below 16 kHz) is not supported"
			}
			return "mp3"
		case 0:
			return "AAC is not supported"
		default:
			return "MPEG layers I and II are not supported"
		}
	}
	return string(errUnknown)
}

// sniffOgg looks into the first packet of an Ogg file.
func sniffOgg(head []byte) string {
	switch {
	case bytes.Contains(head, []byte("\x01vorbis")):
		return "vorbis"
	case bytes.Contains(head, []byte("OpusHead")):
		return "Opus files are not supported"
	case bytes.Contains(head, []byte("\x7fFLAC")):
		return "FLAC inside of Ogg is not supported"
	}
	return "this kind of Ogg file is not supported"
}
