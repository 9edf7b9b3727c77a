package uitest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"time"

	"sonahub/hub/room"
	"sonahub/wallet"
)

// Evening is a house with music in two of its four rooms.
func Evening(now time.Time) room.House {
	library := []room.Track{
		piece("dawn", "First Light over the Harbour", "Mara Lindqvist", "Tides", 1, 222*time.Second, 100, "FLAC 24 bit 48 kHz"),
		piece("tide", "Slack Water", "Mara Lindqvist", "Tides", 2, 187*time.Second, 100, "FLAC 24 bit 48 kHz"),
		piece("buoy", "The Bell Buoy", "Mara Lindqvist", "Tides", 3, 301*time.Second, 100, "FLAC 24 bit 48 kHz"),
		piece("lamp", "Lamplighters", "Old Tram Quartet", "Line 9", 1, 254*time.Second, 60, "FLAC 16 bit 44.1 kHz"),
		piece("rain", "Rain on the Terminus", "Old Tram Quartet", "Line 9", 2, 338*time.Second, 60, "FLAC 16 bit 44.1 kHz"),
	}
	library[1].Length = 0 // not known yet
	library[2].BroughtDown = true
	library[3].Art, library[4].Art = "dusk", "dusk"
	return room.House{
		Name: "Home", Version: 7, Library: library,
		Groups: []room.Group{{
			ID: "main", Transport: room.Playing, Position: 72 * time.Second, At: now, Rung: "FLAC lossless",
			Queue: room.Queue{Items: library[:4], Current: 0},
		}},
		Rooms: []room.Room{
			{ID: "bath", Name: "Bathroom", Volume: 20, Silent: "Its cap for today is reached: 100 of 100 sat.",
				Speaker: room.Speaker{Kind: "airplay", State: "idle", Evidence: "measured", Address: "192.0.2.14"}},
			{ID: "kitchen", Name: "Kitchen", Volume: 35, Group: "main",
				Speaker: room.Speaker{Kind: "airplay", State: "playing", Evidence: "derived", Why: "The volume is set by the hub (-19.2 dB).", Address: "192.0.2.11"}},
			{ID: "living", Name: "Living room", Volume: 48, Group: "main",
				Speaker: room.Speaker{Kind: "jack", State: "playing", Evidence: "measured", BitExact: true}},
			{ID: "study", Name: "Study", Volume: 25, Muted: true,
				Speaker: room.Speaker{Kind: "virtual", State: "idle", Evidence: "believed"}},
		},
	}
}

func piece(id, title, artist, album string, n int, length time.Duration, price int64, quality string) room.Track {
	return room.Track{ID: id, Title: title, Artist: artist, Album: album, Index: n, Length: length, MsatPerS: price, Quality: quality, Art: "dawn"}
}

// Purse is the money of that evening.
func Purse() wallet.Spending {
	return wallet.Spending{
		Balance: 4_812_400, InFlight: 1_000, HourSpent: 211_300, DayBought: 187_600, DayHeard: 181_200,
		HourCap: 1_000_000, DayCap: 5_000_000, RoomCap: 100_000,
		RoomSpent: map[string]wallet.Msat{"bath": 100_000, "kitchen": 87_600, "living": 181_200}, TotalPaid: 9_000_000,
	}
}

// Morning is a house in which nothing has happened yet.
func Morning() room.House {
	h := Evening(time.Time{})
	h.Groups = []room.Group{{ID: "main", Transport: room.Stopped}}
	h.Loading = "The platform prepares its music: 2 of 5 pieces are ready."
	for i := range h.Rooms {
		h.Rooms[i].Group, h.Rooms[i].Silent, h.Rooms[i].Speaker.State = "", "", "idle"
	}
	return h
}

// Trouble is a house that waits, with a platform out of reach.
func Trouble() room.House {
	h := Evening(time.Time{})
	h.Notice = "The platform cannot be reached since 20:14; trying again."
	h.Groups[0].Transport, h.Groups[0].Why = room.Waiting, "What was bought ahead is used up."
	h.Groups[0].Left = &room.Queue{Items: h.Library}
	h.Rooms[1].Speaker.State, h.Rooms[1].Speaker.Why = "stalled", "It does not answer; joining again in 4 s."
	return h
}

// Hostile is a house full of text that means harm.
func Hostile() room.House {
	h := Evening(time.Time{})
	evil := []string{
		`<script>window.harmed=1</script>`,
		`"><img src=x onerror="window.harmed=1">`,
		`' autofocus onfocus='window.harmed=1`,
		"\u202egpj.exe\u202c right to left \u2067 isolate",
		strings.Repeat("long ", 2000),
		strings.Repeat("W", 5000),
		"</template></section><h1>mine</h1>",
		"line\r\ndata: harm\n\nevent: build\ndata: x\x00\x1b[31m",
		`javascript:window.harmed=1`,
		"\xff\xfe broken",
		"", "مرحبا بالعالم", "👩‍👩‍👧‍👦",
	}
	h.Library = nil
	for i, e := range evil {
		t := piece(fmt.Sprintf("%d%s", i, strings.TrimSpace(e[:min(len(e), 60)])), e, e, evil[len(evil)-1-i], i, time.Hour, 1, e)
		t.Art = e[:min(len(e), 60)]
		h.Library = append(h.Library, t)
	}
	h.Name, h.Notice, h.Loading = evil[0], evil[1], evil[7]
	h.Groups[0].Queue = room.Queue{Items: h.Library}
	h.Groups[0].Why, h.Groups[0].Rung = evil[1], evil[0]
	for i := range h.Rooms {
		h.Rooms[i].Name, h.Rooms[i].Silent, h.Rooms[i].Speaker.Why = evil[i], evil[i+4], evil[i+1]
		h.Rooms[i].Speaker.State, h.Rooms[i].Speaker.Evidence = evil[1], evil[0]
	}
	return h
}

// Covers are drawn here, so that nobody's picture is carried along.
func Covers() map[string][]byte {
	return map[string][]byte{
		"dawn": draw(color.RGBA{242, 180, 121, 255}, color.RGBA{28, 74, 96, 255}),
		"dusk": draw(color.RGBA{88, 70, 130, 255}, color.RGBA{232, 120, 98, 255}),
	}
}

// draw makes a cover: a sky that turns from one colour into another over
// three waves.
func draw(from, to color.RGBA) []byte {
	const side = 240
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			k := float64(y) / side
			for w := 1.0; w <= 3; w++ {
				if float64(y) > side*(0.4+0.16*w)+9*math.Sin(float64(x)/19+2*w) {
					k = math.Min(1, 0.55+0.16*w)
				}
			}
			mix := func(a, b uint8) uint8 { return uint8(float64(a)*(1-k) + float64(b)*k) }
			img.SetRGBA(x, y, color.RGBA{mix(from.R, to.R), mix(from.G, to.G), mix(from.B, to.B), 255})
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // into memory: cannot fail
	return b.Bytes()
}
