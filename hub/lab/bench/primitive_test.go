package bench

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"sonahub/hub/audio"
	"sonahub/hub/audio/audiotest"
	"sonahub/hub/audio/codec"
	"sonahub/hub/audio/codec/flac"
	"sonahub/hub/origin/compose"
	"sonahub/sne/kdf"
	"sonahub/sne/segment"
)

// segment compares opening a real segment with its bare primitives over the
// same bytes, in turn.
func (b *bench) segment(t *testing.T) {
	enc, err := codec.NewEncoder(cd())
	if err != nil {
		t.Fatal(err)
	}
	packets, err := enc.FLAC(music(cd(), 2))
	if err != nil {
		t.Fatal(err)
	}
	p := &segment.Payload{Codec: segment.CodecFLAC, Channels: 2, Bits: 16, Rate: 44100, Frames: 88200, Packets: packets}
	plain, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	secret, epoch := &kdf.Secret{1, 2, 3}, segment.Epoch{Tier: 1, Number: 7}
	object, err := segment.Seal(nil, secret, epoch, 1, plain)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := chacha20poly1305.New(secret[:])
	if err != nil {
		t.Fatal(err)
	}
	nonce, head := make([]byte, chacha20poly1305.NonceSize), object[:segment.HeaderSize]
	body := aead.Seal(nil, nonce, plain, head)
	dst := make([]byte, 0, len(object))
	open := func() error {
		out, err := segment.Open(dst, secret, epoch, 1, object)
		if err == nil {
			_, err = segment.ParsePayload(out)
		}
		return err
	}
	bare := func() error {
		_, err := aead.Open(dst, nonce, body, head)
		return err
	}
	want := sha256.Sum256(object)
	hashed := func(f func() error) func() error {
		return func() error {
			if sha256.Sum256(object) != want {
				return fmt.Errorf("another hash")
			}
			return f()
		}
	}
	on := fmt.Sprintf("2 s of FLAC 16/44.1, %d bytes, in turn for 2 s, one core", len(object))
	for _, row := range []struct {
		what, beside string
		ours, bare   func() error
		goal         float64
	}{
		{"segment open: AEAD and framing", "bare ChaCha20-Poly1305", open, bare, 95},
		{"segment open with hash check", "bare SHA-256 and ChaCha20-Poly1305", hashed(open), hashed(bare), 90},
	} {
		ours, alone, err := inTurn(2*time.Second, row.ours, row.bare)
		if err != nil {
			t.Fatal(err)
		}
		ratio := 100 * alone.Seconds() / ours.Seconds()
		b.table.Add(Figure{What: row.what, Measured: fmt.Sprintf("%.1f %% (%.0f MB/s)", ratio, float64(len(object))/1e6/ours.Seconds()),
			Goal: fmt.Sprintf(">= %.0f %%", row.goal), Verdict: AtLeast(ratio, row.goal),
			Beside: fmt.Sprintf("%s %.0f MB/s", row.beside, float64(len(object))/1e6/alone.Seconds()), On: on})
	}
}

// inTurn runs both one after the other for that long and returns the middle
// time of each, which a standstill of the machine does not move.
func inTurn(d time.Duration, a, b func() error) (ta, tb time.Duration, err error) {
	var as, bs []time.Duration
	for end := time.Now().Add(d); time.Now().Before(end); {
		start := time.Now()
		if err := a(); err != nil {
			return 0, 0, err
		}
		between := time.Now()
		if err := b(); err != nil {
			return 0, 0, err
		}
		as, bs = append(as, between.Sub(start)), append(bs, time.Since(between))
	}
	return median(as), median(bs), nil
}

// ingest encodes and seals each rung with one core.
func (b *bench) ingest(t *testing.T) {
	const seconds, tries = 12, 3
	for _, row := range []struct {
		name string
		f    audio.Format
		bps  int
	}{
		{"FLAC 16/44.1", cd(), 0}, {"FLAC 24/48", dvd(), 0},
		{"Opus 256", cd(), 256_000}, {"Opus 160", cd(), 160_000}, {"Opus 96", cd(), 96_000},
	} {
		pcm := music(row.f, seconds)
		best := time.Duration(1 << 62)
		for range tries {
			start := time.Now()
			if err := ingest(row.f, row.bps, pcm); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		b.table.Add(Figure{What: "ingest, " + row.name, Measured: fmt.Sprintf("%.0f x realtime", seconds/best.Seconds()),
			On: fmt.Sprintf("encode and seal %d s from %v, one core, best of %d", seconds, row.f, tries)})
	}
}

// ingest makes the sealed epochs of one rung; bps 0 is the lossless one.
func ingest(f audio.Format, bps int, pcm []int32) error {
	enc, err := codec.NewEncoder(f)
	if err != nil {
		return err
	}
	frames := 2 * int(f.Rate)
	size := frames * f.Channels
	for n := range len(pcm) / size {
		body := pcm[n*size : (n+1)*size]
		p := &segment.Payload{Codec: segment.CodecFLAC, Channels: uint8(f.Channels), Bits: uint8(f.Bits), Rate: uint32(f.Rate), Frames: uint32(frames)}
		if bps == 0 {
			p.Packets, err = enc.FLAC(body)
		} else {
			var skip int
			context := codec.Context * f.Channels
			left, right := pcm[max(0, n*size-context):n*size], pcm[(n+1)*size:min(len(pcm), (n+1)*size+context)]
			p.Packets, skip, err = enc.Opus(bps, left, body, right)
			p.Codec, p.Rate, p.Frames, p.PreSkip = segment.CodecOpus, 48000, 96000, uint16(skip)
		}
		if err != nil {
			return err
		}
		plain, err := p.Marshal()
		if err != nil {
			return err
		}
		if _, err := segment.Seal(nil, &kdf.Secret{1}, segment.Epoch{Number: uint64(n)}, 1, plain); err != nil {
			return err
		}
	}
	return nil
}

// size compares our FLAC with the reference encoder's.
func (b *bench) size(t *testing.T) {
	path, err := exec.LookPath("flac")
	if err != nil {
		b.table.Add(Figure{What: "FLAC size", Measured: "not measured", Goal: "<= 105 % of `flac -5`", Beside: "flac is missing (apt install flac)"})
		return
	}
	pieces := []struct {
		what string
		f    audio.Format
		pcm  []int32
	}{{"plucked strings", cd(), music(cd(), 20)}, {"plucked strings", dvd(), music(dvd(), 20)}, {"white noise", cd(), audiotest.Noise(cd(), -12, 20*44100, 1)}}
	for _, p := range compose.Album() {
		pcm, err := p.Render(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, struct {
			what string
			f    audio.Format
			pcm  []int32
		}{"the album's " + p.Title, p.Format, pcm})
	}
	for _, x := range pieces {
		var ours bytes.Buffer
		if err := flac.WriteStream(&ours, x.f, x.pcm); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), path, "-5", "-c", "--totally-silent", "--no-padding", "--force-raw-format",
			"--endian=little", "--sign=signed", fmt.Sprint("--channels=", x.f.Channels), fmt.Sprint("--bps=", x.f.Bits),
			fmt.Sprint("--sample-rate=", int(x.f.Rate)), "-")
		cmd.Stdin = bytes.NewReader(flac.AppendRaw(nil, x.f.Bits, x.pcm))
		theirs, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		ratio := 100 * float64(ours.Len()) / float64(len(theirs))
		b.table.Add(Figure{What: "FLAC size, " + x.what, Measured: fmt.Sprintf("%.1f %%", ratio), Goal: "<= 105 %", Verdict: AtMost(ratio, 105),
			Beside: fmt.Sprintf("`flac -5`: %.2f MB", float64(len(theirs))/1e6), On: x.f.String()})
	}
}

// synced appends to a file and waits for the disk: the bare primitive of a
// ledger.
func synced(dir string) (step func() error, done func() error, err error) {
	f, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		return nil, nil, err
	}
	page := make([]byte, 4096)
	return func() error {
		if _, err := f.Write(page); err != nil {
			return err
		}
		return f.Sync()
	}, f.Close, nil
}
