package images

import "image"

// orientation is one of the eight ways to lay a picture: its rows and columns are
// swapped first, then it is mirrored.
type orientation struct{ transpose, flipX, flipY bool }

// orientations by EXIF's number: what turns the stored picture upright.
var orientations = [9]orientation{
	2: {flipX: true},
	3: {flipX: true, flipY: true},
	4: {flipY: true},
	5: {transpose: true},
	6: {transpose: true, flipX: true},
	7: {transpose: true, flipX: true, flipY: true},
	8: {transpose: true, flipY: true},
}

// rotation by degrees clockwise.
func rotation(degrees int) orientation {
	return orientations[map[int]int{0: 1, 90: 6, 180: 3, 270: 8}[degrees]]
}

// then returns o followed by next.
func (o orientation) then(next orientation) orientation {
	if next.transpose {
		o.flipX, o.flipY = o.flipY, o.flipX
	}
	return orientation{
		transpose: o.transpose != next.transpose,
		flipX:     o.flipX != next.flipX,
		flipY:     o.flipY != next.flipY,
	}
}

// size returns what p is after o.
func (o orientation) size(p image.Point) image.Point {
	if o.transpose {
		return image.Pt(p.Y, p.X)
	}
	return p
}

// before returns where the part r of a picture was before o; size is that of the
// whole after it.
func (o orientation) before(r image.Rectangle, size image.Point) image.Rectangle {
	if o.flipX {
		r.Min.X, r.Max.X = size.X-r.Max.X, size.X-r.Min.X
	}
	if o.flipY {
		r.Min.Y, r.Max.Y = size.Y-r.Max.Y, size.Y-r.Min.Y
	}
	if o.transpose {
		r = image.Rect(r.Min.Y, r.Min.X, r.Max.Y, r.Max.X)
	}
	return r
}

// apply returns src laid as o says: src itself if it lies so.
func (o orientation) apply(src *image.RGBA, m *meter) (*image.RGBA, error) {
	if o == (orientation{}) {
		return src, nil
	}
	size := o.size(src.Rect.Size())
	dst := image.NewRGBA(image.Rectangle{Max: size})
	// The source of (x, y) is origin + x*stepX + y*stepY in src.Pix.
	stepX, stepY := 4, src.Stride
	if o.transpose {
		stepX, stepY = stepY, stepX
	}
	origin := src.PixOffset(src.Rect.Min.X, src.Rect.Min.Y)
	if o.flipX {
		origin += (size.X - 1) * stepX
		stepX = -stepX
	}
	if o.flipY {
		origin += (size.Y - 1) * stepY
		stepY = -stepY
	}
	for y := range size.Y {
		if err := m.row(y, size.Y); err != nil {
			return nil, err
		}
		out := dst.Pix[y*dst.Stride:][:4*size.X]
		from := origin + y*stepY
		for ; len(out) >= 4; out = out[4:] {
			*(*[4]byte)(out) = *(*[4]byte)(src.Pix[from:])
			from += stepX
		}
	}
	return dst, nil
}
