package images

import (
	"image"
	"image/draw"
)

// A picture is shrunk in two steps. The first averages whole blocks of pixels,
// which is cheap and exact, the second goes the rest of the way with a good
// kernel, which is dear: its time goes with the pixels it starts from. gap is how
// much is left to the second step at least: the larger, the finer and slower.
const gap = 1.5

// boxSize returns the size after the first step, or zero if there is none.
func boxSize(from, to image.Point) image.Point {
	factor := func(from, to int) int { return max(1, int(float64(from)/float64(to)/gap)) }
	x, y := factor(from.X, to.X), factor(from.Y, to.Y)
	if x == 1 && y == 1 {
		return image.Point{}
	}
	return image.Pt(from.X/x, from.Y/y)
}

// shrinkBoxes averages the part r of src to size. Pixel i of a row is the mean of
// those from i*w/size to (i+1)*w/size, and so down: each counts once.
func shrinkBoxes(src image.Image, r image.Rectangle, size image.Point, m *meter) (image.Image, error) {
	if src, ok := src.(*image.YCbCr); ok {
		return shrinkYCbCr(src, r, size, m)
	}
	dst := image.NewRGBA(image.Rectangle{Max: size})
	line := image.NewRGBA(image.Rect(0, 0, r.Dx(), 1))
	rgba, _ := src.(*image.RGBA)
	shrink := shrinker{4, r.Dx(), r.Dy()}
	err := shrink.plane(dst.Pix, dst.Stride, size, m, func(y int) []byte {
		if rgba != nil {
			return rgba.Pix[rgba.PixOffset(r.Min.X, r.Min.Y+y):]
		}
		draw.Draw(line, line.Rect, src, image.Pt(r.Min.X, r.Min.Y+y), draw.Src)
		return line.Pix
	})
	return dst, err
}

// shrinkYCbCr averages each plane of what a JPEG is decoded to, rather than convert
// every pixel first.
func shrinkYCbCr(src *image.YCbCr, r image.Rectangle, size image.Point, m *meter) (image.Image, error) {
	dst := image.NewYCbCr(image.Rectangle{Max: size}, image.YCbCrSubsampleRatio444)
	shrink := shrinker{1, r.Dx(), r.Dy()}
	y0 := src.YOffset(r.Min.X, r.Min.Y)
	err := shrink.plane(dst.Y, dst.YStride, size, m, func(y int) []byte { return src.Y[y0+y*src.YStride:] })
	if err != nil {
		return nil, err
	}
	last := src.COffset(r.Max.X-1, r.Max.Y-1)
	c0 := src.COffset(r.Min.X, r.Min.Y)
	shrink.width = (last-c0)%src.CStride + 1
	shrink.height = (last-c0)/src.CStride + 1
	for _, plane := range []struct{ dst, src []byte }{{dst.Cb, src.Cb}, {dst.Cr, src.Cr}} {
		err := shrink.plane(plane.dst, dst.CStride, size, m, func(y int) []byte { return plane.src[c0+y*src.CStride:] })
		if err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// shrinker averages rows of width pixels, each of a number of samples.
type shrinker struct {
	samples, width, height int
}

// plane fills dst, which has size pixels, from the rows that row returns.
func (s shrinker) plane(dst []byte, stride int, size image.Point, m *meter, row func(y int) []byte) error {
	sums := make([]uint32, s.width*s.samples) // of each column of a row of boxes
	boxes := make([]box, size.X)
	for x := range boxes {
		from, to := span(x, s.width, size.X)
		boxes[x] = box{from * s.samples, to * s.samples}
	}
	for y := range size.Y {
		if err := m.row(y, size.Y); err != nil {
			return err
		}
		top, bottom := span(y, s.height, size.Y)
		for x, v := range row(top)[:len(sums)] {
			sums[x] = uint32(v)
		}
		for i := top + 1; i < bottom; i++ {
			line := row(i)[:len(sums)]
			for x, sum := range sums {
				sums[x] = sum + uint32(line[x])
			}
		}
		s.average(dst[y*stride:][:size.X*s.samples], sums, boxes, bottom-top)
	}
	return nil
}

// box is where the samples of a row begin and end that are averaged to one.
type box struct{ from, to int }

// average fills a row. It divides by n as it multiplies with 1<<32 / n, which is
// exact enough for bytes while n is below 1<<24.
func (s shrinker) average(dst []byte, sums []uint32, boxes []box, rows int) {
	wide, half, inverse := 0, uint64(0), uint64(0)
	for x, box := range boxes {
		if w := box.to - box.from; w != wide { // one of two widths: seldom
			n := uint64(rows) * uint64(w/s.samples)
			wide, half, inverse = w, n/2, 1<<32/n+1
		}
		for c := range s.samples {
			sum := half
			for i := box.from + c; i < box.to; i += s.samples {
				sum += uint64(sums[i])
			}
			dst[x*s.samples+c] = byte(min(sum*inverse>>32, 255))
		}
	}
}

// span returns which of n source pixels are averaged to pixel i of size; one at
// least.
func span(i, n, size int) (from, to int) {
	from, to = i*n/size, (i+1)*n/size
	return from, max(to, from+1)
}
