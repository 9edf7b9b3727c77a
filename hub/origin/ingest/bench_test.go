package ingest_test

import (
	"strconv"
	"testing"

	"sonahub/hub/audio"
	"sonahub/hub/audio/codec"
	"sonahub/hub/origin/ingest"
	"sonahub/hub/origin/origintest"
	"sonahub/hub/origin/publish"
	"sonahub/sne/segment"
)

// BenchmarkIngest takes in one track with one encoder, in seconds of sound
// per second.
func BenchmarkIngest(b *testing.B) {
	for _, opus := range []bool{false, true} {
		b.Run(map[bool]string{false: "lossless", true: "all"}[opus], func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				bench := newBench(b)
				origintest.Music(b, bench.music, benchTrack())
				b.StartTimer()
				bench.run(func(g *ingest.Ingester) { g.NoOpus, g.Workers = !opus, 1 })
			}
			b.ReportMetric(benchSeconds*float64(b.N)/b.Elapsed().Seconds(), "xrealtime")
		})
	}
}

const benchSeconds = 20

func benchTrack() origintest.Track {
	return origintest.Track{Format: audio.Format{Rate: 44100, Channels: 2, Bits: 16}, Frames: benchSeconds * 44100, Seed: 1}
}

// BenchmarkRung encodes, seals, opens and writes one rung alone.
func BenchmarkRung(b *testing.B) {
	tr := benchTrack()
	pcm := tr.PCM()
	const size = 2 * 88200
	for _, bps := range []int{0, 256000, 160000, 96000} {
		b.Run(map[bool]string{true: "flac", false: "opus" + strconv.Itoa(bps/1000)}[bps == 0], func(b *testing.B) {
			bench := newBench(b)
			origintest.Music(b, bench.music, tr)
			track := bench.run(lossless).Offers()[0].Track
			enc, err := codec.NewEncoder(track.Format)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				stage, err := bench.press.Stage(b.Context(), track, 9)
				if err != nil {
					b.Fatal(err)
				}
				for n := range len(pcm) / size {
					p := &segment.Payload{Codec: segment.CodecFLAC, Channels: 2, Bits: 16, Rate: 44100, Frames: 88200}
					body := pcm[n*size : (n+1)*size]
					if bps == 0 {
						p.Packets, err = enc.FLAC(body)
					} else {
						var skip int
						p.Packets, skip, err = enc.Opus(bps, pcm[:n*size], body, pcm[(n+1)*size:])
						p.Codec, p.Rate, p.Frames, p.PreSkip = segment.CodecOpus, 48000, 96000, uint16(skip)
					}
					if err != nil {
						b.Fatal(err)
					}
					if _, err := stage.Epoch(uint64(n), 88200, []publish.Encoded{{R: 1, Payload: p}}); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(benchSeconds*float64(b.N)/b.Elapsed().Seconds(), "xrealtime")
		})
	}
}
