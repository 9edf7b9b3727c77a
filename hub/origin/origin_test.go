package origin_test

import (
	"testing"

	"sonahub/hub/audio"
	"sonahub/hub/origin"
	"sonahub/hub/origin/origintest"
)

// TestWholeWay takes files in, buys them epoch by epoch with vouchers and
// tokens, and compares what comes out with what went in: lossless by hash,
// Opus by its exact length, money to the millisatoshi.
func TestWholeWay(t *testing.T) {
	tracks := []origintest.Track{
		{Name: "01.flac", Title: "CD", Seed: 1},
		{Name: "02.flac", Title: "Studio", Format: audio.Format{Rate: 48000, Channels: 2, Bits: 24}, Frames: 4*48000 + 1, Seed: 2},
		{Name: "03.wav", Format: audio.Format{Rate: 44100, Channels: 1, Bits: 16}, Frames: 88200, Seed: 3},
		{Name: "04.flac", Title: "Short", Frames: 7, Seed: 4},
	}
	titles := []string{"CD", "Studio", "03", "Short"}
	music := t.TempDir()
	origintest.Music(t, music, tracks...)
	o := origintest.Start(t, origin.Config{Music: music, Welcome: origin.Welcome{PerAddress: 100}})
	ready(t, o.Done)
	hubs := make([]*hub, 4) // one for each rendition, each with an opening grant of its own
	for i := range hubs {
		hubs[i] = newHub(t, o)
		hubs[i].topUp()
	}
	var paid uint64
	for i, tr := range tracks {
		it := hubs[0].item(titles[i])
		f, pcm, cost := hubs[0].listen(it, 2, 1, 500)
		if hash(f, pcm) != tr.SHA256() {
			t.Errorf("%s: the lossless tier is not the source", tr.Name)
		}
		paid += cost
		frames := len(pcm) / f.Channels
		for _, rendition := range []uint16{1, 2, 3} {
			f, pcm, cost := hubs[rendition].listen(it, 1, rendition, 300)
			if len(pcm)/f.Channels != frames {
				t.Errorf("%s: Opus rendition %d has %d frames, want %d", tr.Name, rendition, len(pcm)/f.Channels, frames)
			}
			paid += cost
		}
	}
	a, err := o.Books().Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Three hubs bought the Opus tier, which has two epochs for sale in two of the tracks.
	if a.AmountMsat != int64(paid) || a.EpochsTwice != 4 || a.Unbalanced != 0 || a.FreeGrants == 0 {
		t.Errorf("the hub paid %d msat; books: %+v", paid, a)
	}
}
