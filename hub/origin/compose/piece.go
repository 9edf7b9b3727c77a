package compose

import (
	"context"
	"fmt"

	"sonahub/hub/audio"
	"sonahub/hub/audio/dither"
)

// Piece is one track of the album: what it is called, how it is stored and
// how it is played.
type Piece struct {
	File   string // file name, with the track number first
	Title  string
	Artist string
	Album  string
	Index  int          // place on the album, from 1
	Format audio.Format // of the file; the rate may be above what the platform sells
	Frames audio.Pos    // exact length at Format.Rate

	seed  uint64
	room  float64 // reverb time in seconds
	fade  float64 // seconds of dying away
	score func(m *mix)
	cover palette
}

// Album lists the four pieces in playing order.
func Album() []Piece {
	pieces := []Piece{
		{Title: "First Light", Format: audio.Format{Rate: 44100, Channels: 2, Bits: 16}, Frames: 1_693_471, // 38.4 s
			seed: 11, room: 3.2, fade: 3, score: firstLight, cover: palette{0x1b2a49, 0xf4a259, 0xf9e7c4}},
		{Title: "Copper Rain", Format: audio.Format{Rate: 48000, Channels: 2, Bits: 24}, Frames: 1_839_003, // 38.3 s
			seed: 23, room: 1.7, fade: 2.5, score: copperRain, cover: palette{0x12312b, 0xb5651d, 0x9fd8cb}},
		{Title: "Paper Boats", Format: audio.Format{Rate: 48000, Channels: 2, Bits: 16}, Frames: 1_551_457, // 32.3 s
			seed: 37, room: 2.4, fade: 2.5, score: paperBoats, cover: palette{0x274c77, 0xe7ecef, 0xef767a}},
		{Title: "Night Tram", Format: audio.Format{Rate: 96000, Channels: 2, Bits: 24}, Frames: 3_888_777, // 40.5 s
			seed: 53, room: 1.5, fade: 3, score: nightTram, cover: palette{0x191528, 0x6d5bd0, 0xffc857}},
	}
	for i := range pieces {
		p := &pieces[i]
		p.Index, p.Artist, p.Album = i+1, "The House Machine", "Four Small Rooms"
		p.File = fmt.Sprintf("%02d %s.flac", p.Index, p.Title)
	}
	return pieces
}

// Render plays the piece: interleaved samples, right-justified to
// Format.Bits, Frames*2 of them. It takes one to two seconds of one core.
func (p Piece) Render(ctx context.Context) ([]int32, error) {
	m := newMix(newSynth(ctx, int(p.Format.Rate), p.seed), int(p.Frames))
	p.score(m)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sound := m.master(p.room, p.fade)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pcm := make([]int32, len(sound))
	q := dither.TPDF{Bits: p.Format.Bits, Seed: p.seed}
	q.Quantize(pcm, sound)
	return pcm, nil
}
