package segment_test

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"sonahub/sne/segment"
)

// object is two seconds of lossless sound: 20 FLAC frames, 212 kB.
func object(b *testing.B) []byte {
	b.Helper()
	p := &segment.Payload{Codec: segment.CodecFLAC, Channels: 2, Bits: 16, Rate: 44100, Frames: 88200}
	for range 20 {
		p.Packets = append(p.Packets, sound(10600))
	}
	plain, err := p.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	o, err := segment.Seal(nil, secret(), epoch(), 1, plain)
	if err != nil {
		b.Fatal(err)
	}
	return o
}

// BenchmarkOpen compares opening a segment with its bare primitives over the
// same bytes, alternating within one run. "ratio" is the speed against the
// primitives alone; the goals are 0.95 without and 0.90 with the hash.
func BenchmarkOpen(b *testing.B) {
	o := object(b)
	aead, err := chacha20poly1305.New(secret()[:])
	if err != nil {
		b.Fatal(err)
	}
	nonce := make([]byte, 12)
	body := aead.Seal(nil, nonce, o[72:len(o)-16], o[:72])
	dst := make([]byte, 0, len(o))
	bare := func(b *testing.B) {
		if _, err := aead.Open(dst, nonce, body, o[:72]); err != nil {
			b.Fatal(err)
		}
	}
	open := func(b *testing.B) {
		plain, err := segment.Open(dst, secret(), epoch(), 1, o)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := segment.ParsePayload(plain); err != nil {
			b.Fatal(err)
		}
	}
	var sum [32]byte
	hash := func() { sum = sha256.Sum256(o) }
	b.Run("aead+framing", func(b *testing.B) { compare(b, len(o), open, bare) })
	b.Run("hash+aead+framing", func(b *testing.B) {
		compare(b, len(o), func(b *testing.B) { hash(); open(b) }, func(b *testing.B) { hash(); bare(b) })
	})
	_ = sum
}

// compare runs both in turn and reports the quotient of their median times: on
// a busy machine a sum would measure the neighbours.
func compare(b *testing.B, size int, ours, bare func(*testing.B)) {
	var tOurs, tBare []time.Duration
	for b.Loop() {
		start := time.Now()
		ours(b)
		between := time.Now()
		bare(b)
		tOurs = append(tOurs, between.Sub(start))
		tBare = append(tBare, time.Since(between))
	}
	slices.Sort(tOurs)
	slices.Sort(tBare)
	o, p := tOurs[len(tOurs)/2].Seconds(), tBare[len(tBare)/2].Seconds()
	b.ReportMetric(p/o, "ratio")
	b.ReportMetric(float64(size)/1e6/o, "ours-MB/s")
	b.ReportMetric(float64(size)/1e6/p, "bare-MB/s")
}
