package images

import (
	"image"
	"image/color"
	"image/color/palette"
)

// dither picks for each pixel one of the colours, of which there are some 256 if
// none are given, and spreads what it misses to the pixels right of it and below,
// as Floyd and Steinberg do. draw.FloydSteinberg does the same, but compares each
// pixel with each colour and does not hear of the context's end.
func dither(src *image.RGBA, colours color.Palette, m *meter) (*image.Paletted, error) {
	opaque := src.Opaque()
	if !opaque {
		threshold(src)
	}
	near := newNearest(colours, !opaque)
	w, h := src.Rect.Dx(), src.Rect.Dy()
	dst := image.NewPaletted(src.Rect, near.palette)
	// What is missed so far, in sixteenths, for each channel; a pixel more at
	// either end saves asking where a row ends.
	here, below := make([][3]int32, w+2), make([][3]int32, w+2)
	for y := range h {
		if err := m.row(y, h); err != nil {
			return nil, err
		}
		clear(below)
		pix, out := src.Pix[y*src.Stride:], dst.Pix[y*dst.Stride:]
		for x := range w {
			p := pix[4*x:][:4]
			if p[3] == 0 {
				out[x] = near.transparent
				continue
			}
			var want [3]int32
			for c := range want {
				want[c] = min(max(int32(p[c])+(here[x+1][c]+8)>>4, 0), 255)
			}
			i := near.index(want)
			out[x] = i
			for c, v := range near.opaque[i] {
				miss := want[c] - v
				here[x+2][c] += 7 * miss
				below[x][c] += 3 * miss
				below[x+1][c] += 5 * miss
				below[x+2][c] += miss
			}
		}
		here, below = below, here
	}
	return dst, nil
}

// nearest finds the nearest of up to 256 colours, and remembers it for all that
// agree in five bits a channel.
type nearest struct {
	palette     color.Palette
	opaque      [][3]int32 // those of the palette that are not transparent
	transparent uint8
	known       [1 << 15]int16 // index plus one
}

func newNearest(colours color.Palette, transparent bool) *nearest {
	most := 256
	if transparent {
		most--
	}
	n := &nearest{}
	add := func(colours color.Palette) {
		for _, c := range colours {
			c := color.NRGBAModel.Convert(c).(color.NRGBA)
			if c.A > 0 && len(n.palette) < most {
				n.palette = append(n.palette, color.RGBA{c.R, c.G, c.B, 255})
				n.opaque = append(n.opaque, [3]int32{int32(c.R), int32(c.G), int32(c.B)})
			}
		}
	}
	add(colours)
	if len(n.palette) == 0 {
		add(palette.Plan9)
	}
	if transparent {
		n.transparent = uint8(len(n.palette))
		n.palette = append(n.palette, color.RGBA{})
	}
	return n
}

func (n *nearest) index(c [3]int32) uint8 {
	known := &n.known[c[0]>>3<<10|c[1]>>3<<5|c[2]>>3]
	if *known == 0 {
		best := int32(1 << 30)
		for i, o := range n.opaque {
			r, g, b := c[0]-o[0], c[1]-o[1], c[2]-o[2]
			if d := r*r + g*g + b*b; d < best {
				best, *known = d, int16(i+1)
			}
		}
	}
	return uint8(*known - 1)
}
