package compose

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
)

// palette is a cover's three colours as 0xRRGGBB: ground, body, light.
type palette [3]uint32

const coverSize = 512 // pixels on each side

// Cover draws the piece's picture: overlapping discs and waves over a
// gradient, in the piece's own three colours. PNG, well under 2 MiB.
func (p Piece) Cover() ([]byte, error) {
	r := rand.New(rand.NewPCG(p.seed, 0xc0fe))
	type disc struct{ x, y, size, tint, blur float64 }
	discs := make([]disc, 7)
	for i := range discs {
		discs[i] = disc{r.Float64(), 0.1 + 0.7*r.Float64(), 0.06 + 0.22*r.Float64(), r.Float64(), 0.002 + 0.02*r.Float64()*float64(i%3)}
	}
	waves := 3 + float64(p.Index)
	img := image.NewNRGBA(image.Rect(0, 0, coverSize, coverSize))
	for py := range coverSize {
		for px := range coverSize {
			x, y := (float64(px)+0.5)/coverSize, (float64(py)+0.5)/coverSize
			c := blend(p.cover[0], p.cover[1], 0.55*y*y)
			for _, d := range discs {
				edge := smooth((d.size - math.Hypot(x-d.x, y-d.y)) / d.blur)
				c = over(c, blend(p.cover[1], p.cover[2], d.tint), 0.45*edge)
			}
			for w := range 4 {
				crest := 0.70 + 0.07*float64(w) + 0.018*math.Sin(2*math.Pi*(waves*x*0.5+0.31*float64(w)*waves))
				c = over(c, blend(p.cover[0], p.cover[1], 0.16*float64(3-w)), 0.8*smooth((y-crest)/0.003))
			}
			grain := 0.012 * (r.Float64() - 0.5)
			img.SetNRGBA(px, py, color.NRGBA{level(c[0] + grain), level(c[1] + grain), level(c[2] + grain), 255})
		}
	}
	var out bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed} // the grain does not compress anyway
	if err := enc.Encode(&out, img); err != nil {
		return nil, fmt.Errorf("compose: cover of %q: %w", p.Title, err)
	}
	return out.Bytes(), nil
}

// rgb is a colour in 0..1 a channel.
type rgb [3]float64

func blend(a, b uint32, t float64) rgb {
	var c rgb
	for i := range c {
		shift := uint(16 - 8*i)
		x, y := float64(a>>shift&255), float64(b>>shift&255)
		c[i] = (x + (y-x)*t) / 255
	}
	return c
}

func over(under, top rgb, alpha float64) rgb {
	for i := range under {
		under[i] += (top[i] - under[i]) * alpha
	}
	return under
}

// smooth is 0 below -1, 1 above 1 and a soft step between.
func smooth(t float64) float64 {
	t = min(1, max(0, 0.5+0.5*t))
	return t * t * (3 - 2*t)
}

func level(v float64) uint8 { return uint8(min(255, max(0, math.Round(255*v)))) }
