package importer

import (
	"crypto/md5"
	"errors"
	"hash"
	"io"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/meta"

	"sonahub/hub/audio"
	ourflac "sonahub/hub/audio/codec/flac"
)

// flacDecoder reads a whole FLAC file and checks its length and MD5.
type flacDecoder struct {
	stream *flac.Stream
	info   *meta.StreamInfo
	shift  uint // from the file's depth to the track's
	read   uint64
	sum    hash.Hash // nil if the file has none
	raw    []byte
}

// openFLAC reads the metadata of a file whose "fLaC" stands at start.
func (t *Track) openFLAC(start int64) error {
	comments, cover, err := flacMetadata(t.buffered())
	if err != nil {
		return err
	}
	t.Tags, t.Cover = tagsOfComments(comments), cover
	if _, err := t.file.Seek(start, io.SeekStart); err != nil {
		return err
	}
	stream, err := flac.New(t.buffered())
	if err != nil {
		return err
	}
	info := stream.Info
	d := &flacDecoder{stream: stream, info: info}
	if info.MD5sum != [md5.Size]byte{} {
		d.sum = md5.New()
	}
	t.Kind, t.Lossless, t.dec = "flac", true, d
	t.Format = audio.Format{Rate: audio.Rate(info.SampleRate), Channels: int(info.NChannels), Bits: 16}
	if info.NSamples > 0 {
		t.Frames = audio.Pos(info.NSamples)
	}
	switch bits := uint(info.BitsPerSample); {
	case bits > 24:
		return reason("FLAC beyond 24 bits is not supported")
	case bits > 16:
		t.Format.Bits, d.shift = 24, 24-bits
	default:
		d.shift = 16 - bits
	}
	return nil
}

// next decodes one frame.
func (d *flacDecoder) next() ([]int32, error) {
	if d.info.NSamples > 0 && d.read >= d.info.NSamples {
		return nil, d.finish() // what follows, such as an old ID3 tag, is not sound
	}
	f, err := d.stream.Next()
	if errors.Is(err, io.EOF) {
		return nil, d.finish()
	}
	if err != nil {
		return nil, errors.Join(errDamaged, err)
	}
	if f.BitsPerSample == 0 { // the header leaves it to STREAMINFO
		f.BitsPerSample = d.info.BitsPerSample
	}
	if f.BitsPerSample != d.info.BitsPerSample || f.Channels.Count() != int(d.info.NChannels) || f.BlockSize == 0 ||
		f.SampleRate != 0 && f.SampleRate != d.info.SampleRate {
		return nil, reason("the sound changes its format within the file")
	}
	if err := f.Parse(); err != nil {
		if ended(err) {
			return nil, errTruncated
		}
		return nil, errors.Join(errDamaged, err)
	}
	pcm := make([]int32, 0, int(f.BlockSize)*f.Channels.Count())
	limit := int32(1) << (d.info.BitsPerSample - 1)
	for i := range int(f.BlockSize) {
		for _, s := range f.Subframes {
			v := s.Samples[i]
			if v < -limit || v >= limit {
				return nil, errDamaged
			}
			pcm = append(pcm, v)
		}
	}
	d.read += uint64(f.BlockSize)
	if d.sum != nil {
		d.raw = ourflac.AppendRaw(d.raw[:0], int(d.info.BitsPerSample), pcm)
		d.sum.Write(d.raw)
	}
	if d.shift > 0 {
		for i := range pcm {
			pcm[i] <<= d.shift
		}
	}
	return pcm, nil
}

// finish compares the whole of what was read with what the header promised.
func (d *flacDecoder) finish() error {
	switch {
	case d.read < d.info.NSamples:
		return errTruncated
	case d.sum != nil && [md5.Size]byte(d.sum.Sum(nil)) != d.info.MD5sum:
		return reason("the file is damaged: its sound does not match its checksum")
	}
	return io.EOF
}

const (
	flacComments = 4
	flacPicture  = 6
	maxBlocks    = 1024 // metadata blocks before the sound
)

// flacMetadata walks the metadata blocks and returns the comments and the
// best picture. Lengths are 24 bits; no more is read than comments and
// pictures may have.
func flacMetadata(r io.Reader) (comments []string, cover []byte, err error) {
	if _, err := io.CopyN(io.Discard, r, 4); err != nil {
		return nil, nil, err
	}
	best := -1
	for range maxBlocks {
		var h [4]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return nil, nil, err
		}
		n := int64(h[1])<<16 | int64(h[2])<<8 | int64(h[3])
		body := io.LimitReader(r, n)
		switch {
		case h[0]&0x7F == flacComments && n <= maxComments:
			raw, err := io.ReadAll(body)
			if err != nil {
				return nil, nil, err
			}
			comments = parseComments(raw)
		case h[0]&0x7F == flacPicture && n <= maxCover+maxPictureText:
			raw, err := io.ReadAll(body)
			if err != nil {
				return nil, nil, err
			}
			if rank, data := parsePicture(raw); rank > best {
				best, cover = rank, data
			}
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return nil, nil, err
		}
		if h[0]&0x80 != 0 {
			return comments, cover, nil
		}
	}
	return nil, nil, errDamaged
}
