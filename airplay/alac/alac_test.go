package alac

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sonahub/airplay/raoptest"
)

// signals are the kinds of sound that drive the coder into its corners.
func signals() map[string]func(i, c int) int16 {
	r := rand.New(rand.NewPCG(1, 2))
	return map[string]func(i, c int) int16{
		"silence": func(int, int) int16 { return 0 },
		"sine":    func(i, c int) int16 { return int16(20000 * math.Sin(float64(i+c*7)*0.05)) },
		"mono":    func(i, _ int) int16 { return int16(9000*math.Sin(float64(i)*0.031) + float64(i%3)) },
		"noise":   func(int, int) int16 { return int16(r.IntN(65536) - 32768) },
		"quiet":   func(int, int) int16 { return int16(r.IntN(3) - 1) },
		"square":  func(i, c int) int16 { return int16(1-2*(i/50%2)) * (32767 - int16(c)) },
		"clicks": func(i, c int) int16 {
			if (i+c)%97 == 0 {
				return math.MinInt16
			}
			return 0
		},
		"full step": func(i, _ int) int16 {
			if i/400%2 == 0 {
				return math.MinInt16
			}
			return math.MaxInt16
		},
		"opposed": func(i, c int) int16 { return int16(1-2*c) * int16(i*331%32767) },
	}
}

func frames(n int, at func(i, c int) int16) []Frame {
	out := make([]Frame, n)
	for i := range out {
		for j := range out[i] {
			out[i][j] = at(i*FrameLength+j/2, j%2)
		}
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	for name, at := range signals() {
		t.Run(name, func(t *testing.T) {
			var e Encoder
			for i, f := range frames(40, at) {
				packet := e.Encode(nil, &f)
				if len(packet) > MaxSize || len(packet) < MinSize {
					t.Fatalf("packet %d: %d bytes", i, len(packet))
				}
				got, err := raoptest.Decode(packet)
				if err != nil {
					t.Fatalf("packet %d: %v", i, err)
				}
				if got != f {
					t.Fatalf("packet %d differs", i)
				}
			}
		})
	}
}

func TestCompresses(t *testing.T) {
	for name, limit := range map[string]int{"silence": 60, "sine": 500, "mono": 500, "quiet": 330, "noise": MaxSize} {
		var e Encoder
		var size int
		for _, f := range frames(20, signals()[name]) {
			size += len(e.Encode(nil, &f))
		}
		if size/20 > limit {
			t.Errorf("%s: %d bytes a packet, want at most %d", name, size/20, limit)
		}
	}
}

func TestAppends(t *testing.T) {
	var e Encoder
	var f Frame
	if got := e.Encode([]byte("head"), &f); string(got[:4]) != "head" {
		t.Errorf("Encode overwrote what was there: %q", got[:4])
	}
}

// TestFFmpeg lets a foreign decoder judge, through a Core Audio file.
func TestFFmpeg(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg to compare with: apt-get install ffmpeg")
	}
	for name, at := range signals() {
		t.Run(name, func(t *testing.T) {
			var e Encoder
			var packets [][]byte
			var want bytes.Buffer
			for _, f := range frames(40, at) {
				packets = append(packets, e.Encode(nil, &f))
				_ = binary.Write(&want, binary.LittleEndian, f)
			}
			file := filepath.Join(t.TempDir(), "a.caf")
			if err := os.WriteFile(file, caf(packets), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-i", file, "-f", "s16le", "-")
			var complaint bytes.Buffer
			cmd.Stderr = &complaint
			got, err := cmd.Output()
			if err != nil || complaint.Len() > 0 {
				t.Fatalf("ffmpeg: %v %s", err, complaint.String())
			}
			if !bytes.Equal(got, want.Bytes()) {
				t.Fatalf("ffmpeg decoded %d bytes that differ from the %d of the source", len(got), want.Len())
			}
		})
	}
}

// caf wraps packets in the Core Audio Format.
func caf(packets [][]byte) []byte {
	var out, table, data bytes.Buffer
	be := func(w *bytes.Buffer, vs ...any) {
		for _, v := range vs {
			_ = binary.Write(w, binary.BigEndian, v)
		}
	}
	chunk := func(kind string, body []byte) {
		out.WriteString(kind)
		be(&out, int64(len(body)))
		out.Write(body)
	}
	var desc, cookie bytes.Buffer
	be(&desc, float64(44100), []byte("alac"), uint32(1), uint32(0), uint32(FrameLength), uint32(2), uint32(0))
	be(&cookie, uint32(FrameLength), uint8(0), uint8(16), uint8(riceMult), uint8(riceMean), uint8(riceLimit),
		uint8(2), uint16(255), uint32(0), uint32(0), uint32(44100))
	be(&table, int64(len(packets)), int64(len(packets)*FrameLength), uint32(0), uint32(0))
	be(&data, uint32(0))
	for _, p := range packets {
		if len(p) >= 128 {
			table.WriteByte(byte(len(p)>>7) | 0x80)
		}
		table.WriteByte(byte(len(p) & 0x7f))
		data.Write(p)
	}
	out.WriteString("caff")
	be(&out, uint16(1), uint16(0))
	chunk("desc", desc.Bytes())
	chunk("kuki", cookie.Bytes())
	chunk("pakt", table.Bytes())
	chunk("data", data.Bytes())
	return out.Bytes()
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 0xff, 0x7f, 0, 0x80}, uint8(1))
	f.Add([]byte("a short piece of text that repeats"), uint8(3))
	f.Fuzz(func(t *testing.T, seed []byte, step uint8) {
		if len(seed) == 0 {
			return
		}
		var e Encoder
		for n := range 3 {
			var fr Frame
			for i := range fr {
				a := seed[(n+i*int(step))%len(seed)]
				b := seed[(n+i*int(step)+i/7)%len(seed)]
				fr[i] = int16(uint16(a) | uint16(b)<<8)
			}
			packet := e.Encode(nil, &fr)
			got, err := raoptest.Decode(packet)
			if err != nil || got != fr || len(packet) < MinSize || len(packet) > MaxSize {
				t.Fatalf("packet of %d bytes: %v", len(packet), err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	fs := frames(8, signals()["mono"])
	var e Encoder
	var buf []byte
	for i := range b.N {
		buf = e.Encode(buf[:0], &fs[i%len(fs)])
	}
}
