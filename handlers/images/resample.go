package images

import (
	"image"
	"image/draw"
	"math"
)

// resample scales the part r of src to size with the Catmull-Rom kernel, its
// corner at (0, 0). Rows are scaled across as they are read, and kept only while
// a row of the result is made of them: scratch memory is that of some ten rows.
//
// It does what draw.CatmullRom of golang.org/x/image does, against which it is
// tested. It is here because it hears of the context's end, and for memory: that
// one takes 32 bytes for each pixel of the result's width and the source's height
// (51 MB from 3000x2000 to 800x533, where this takes 2), and half as much time
// again.
func resample(src image.Image, r image.Rectangle, size image.Point, m *meter) (*image.RGBA, error) {
	across, down := catmullRom(r.Dx(), size.X), catmullRom(r.Dy(), size.Y)
	dst := image.NewRGBA(image.Rectangle{Max: size})
	line := image.NewRGBA(image.Rect(0, 0, r.Dx(), 1))
	ring := make([][]int16, down.mostTaps())
	for i := range ring {
		ring[i] = make([]int16, 4*size.X)
	}
	sums := make([]int32, 4*size.X)
	read := 0 // rows of the source
	for y, t := range down {
		if err := m.row(y, size.Y); err != nil {
			return nil, err
		}
		for ; read < t.from+len(t.weights); read++ {
			draw.Draw(line, line.Rect, src, image.Pt(r.Min.X, r.Min.Y+read), draw.Src)
			across.row(ring[read%len(ring)], line.Pix)
		}
		clear(sums)
		for i, w := range t.weights {
			add(sums, ring[(t.from+i)%len(ring)], w)
		}
		store(dst.Pix[y*dst.Stride:][:len(sums)], sums)
	}
	return dst, nil
}

// Weights have weightBits after the point, values between the two turns
// valueBits: with what the kernel overshoots the sums stay within 32 bits.
const (
	weightBits = 14
	valueBits  = 6
)

// taps are the source pixels that make one pixel of the result, and how much each
// counts: 1<<weightBits together.
type taps struct {
	from    int
	weights []int32
}

// kernel holds the taps of each pixel of a row, or of a column.
type kernel []taps

// catmullRom returns the kernel that makes n pixels of size. Where it shrinks, it
// is widened so that each source pixel counts.
func catmullRom(size, n int) kernel {
	ratio := float64(size) / float64(n)
	widen := max(1, ratio)
	k := make(kernel, n)
	most := int(math.Ceil(4*widen)) + 1
	all, exact := make([]int32, n*most), make([]float64, most)
	for i := range k {
		centre := (float64(i)+0.5)*ratio - 0.5
		from := max(0, int(math.Floor(centre-2*widen))+1)
		to := min(size, int(math.Ceil(centre+2*widen)))
		exact, sum := exact[:to-from], 0.0
		for j := range exact {
			exact[j] = catmullRomAt(math.Abs(float64(from+j)-centre) / widen)
			sum += exact[j]
		}
		weights, left, largest := all[i*most:][:to-from], int32(1<<weightBits), 0
		for j, w := range exact {
			weights[j] = int32(math.Round(w / sum * (1 << weightBits)))
			left -= weights[j]
			if weights[j] > weights[largest] {
				largest = j
			}
		}
		weights[largest] += left // of the rounding
		k[i] = taps{from, weights}
	}
	return k
}

// catmullRomAt is the cubic with B=0, C=0.5 of Mitchell and Netravali,
// "Reconstruction Filters in Computer Graphics", 1988.
func catmullRomAt(t float64) float64 {
	switch {
	case t < 1:
		return (1.5*t-2.5)*t*t + 1
	case t < 2:
		return ((-0.5*t+2.5)*t-4)*t + 2
	}
	return 0
}

// mostTaps returns how many source pixels are needed at once.
func (k kernel) mostTaps() int {
	n := 1
	for _, t := range k {
		n = max(n, len(t.weights))
	}
	return n
}

// row scales a row of RGBA pixels.
func (k kernel) row(dst []int16, src []byte) {
	const half = 1 << (weightBits - valueBits - 1)
	for i, t := range k {
		var r, g, b, a int32
		pix := src[4*t.from:][:4*len(t.weights)]
		for _, w := range t.weights {
			p := (*[4]byte)(pix)
			r += w * int32(p[0])
			g += w * int32(p[1])
			b += w * int32(p[2])
			a += w * int32(p[3])
			pix = pix[4:]
		}
		out := (*[4]int16)(dst[4*i:])
		out[0] = int16((r + half) >> (weightBits - valueBits))
		out[1] = int16((g + half) >> (weightBits - valueBits))
		out[2] = int16((b + half) >> (weightBits - valueBits))
		out[3] = int16((a + half) >> (weightBits - valueBits))
	}
}

func add(sums []int32, row []int16, weight int32) {
	row = row[:len(sums)]
	for i, v := range row {
		sums[i] += weight * int32(v)
	}
}

// store rounds and clamps a row of sums. No colour may be more than its alpha.
func store(dst []byte, sums []int32) {
	const bits = weightBits + valueBits
	for ; len(sums) >= 4 && len(dst) >= 4; sums, dst = sums[4:], dst[4:] {
		a := min(max((sums[3]+1<<(bits-1))>>bits, 0), 255)
		dst[0] = byte(min(max((sums[0]+1<<(bits-1))>>bits, 0), a))
		dst[1] = byte(min(max((sums[1]+1<<(bits-1))>>bits, 0), a))
		dst[2] = byte(min(max((sums[2]+1<<(bits-1))>>bits, 0), a))
		dst[3] = byte(a)
	}
}

// toRGBA returns the part r of src, its corner at (0, 0).
func toRGBA(src image.Image, r image.Rectangle, m *meter) (*image.RGBA, error) {
	dst := image.NewRGBA(image.Rectangle{Max: r.Size()})
	const rows = 64
	for y := 0; y < r.Dy(); y += rows {
		if err := m.row(y, r.Dy()); err != nil {
			return nil, err
		}
		at := image.Rect(0, y, r.Dx(), min(y+rows, r.Dy()))
		draw.Draw(dst, at, src, r.Min.Add(at.Min), draw.Src)
	}
	return dst, nil
}
