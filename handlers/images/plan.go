package images

import (
	"image"
	"math"
)

// Plan is what a Request makes of one picture. Safe for concurrent use.
type Plan struct {
	Width, Height int // of the result, in pixels
	Format        Format

	// Cost is the memory in bytes that the job takes at its peak, decoding
	// included, as estimated: the weight by which a queue should admit it.
	Cost int64

	source      image.Rectangle // part of the stored picture
	scaled      image.Point     // its size before it is turned
	box         image.Point     // the size it is averaged to first; zero: it is not
	orientation orientation
	quality     int
}

// Plan checks the request against a picture, of which Inspect has told info.
// It is what a server calls before it takes the job in: every error of Transform
// that the headers and the request give away is found here. The error is an
// *Error.
func (r Request) Plan(info Info, limits Limits) (Plan, error) {
	limits = limits.withDefaults()
	if err := r.check(); err != nil {
		return Plan{}, err
	}
	upright, turned := orientations[info.Orientation], rotation(r.Rotate)
	whole := image.Rect(0, 0, info.Width, info.Height)
	crop := whole
	if !r.Crop.Empty() {
		crop = r.Crop
	}
	if !crop.In(whole) {
		return Plan{}, fail(RequestFault, "crop: reaches outside the picture, which is %dx%d", info.Width, info.Height)
	}
	p := Plan{orientation: upright.then(turned), quality: r.Quality, Format: r.Format}
	// part is what is kept, in the picture as it is seen at the end, crop's origin
	// being (0, 0); size is what becomes of it.
	seen := turned.size(crop.Size())
	part, size := r.fit(seen)
	switch {
	case size.X > limits.MaxSide || size.Y > limits.MaxSide:
		return Plan{}, fail(RequestFault, "the result would be %dx%d pixels, the limit is %d a side", size.X, size.Y, limits.MaxSide)
	case int64(size.X)*int64(size.Y) > limits.MaxOutputPixels:
		return Plan{}, fail(RequestFault, "the result would have %d pixels, the limit is %d: ask for a smaller width or height", int64(size.X)*int64(size.Y), limits.MaxOutputPixels)
	}
	p.Width, p.Height = size.X, size.Y
	p.source = upright.before(turned.before(part, seen).Add(crop.Min), whole.Size())
	p.scaled = size
	if p.orientation.transpose {
		p.scaled = image.Pt(size.Y, size.X)
	}
	p.box = boxSize(p.source.Size(), p.scaled)
	if p.Format == Same {
		p.Format = info.Format
	}
	if p.Format == WebP {
		p.Format = JPEG
		if info.alpha {
			p.Format = PNG
		}
	}
	if p.quality == 0 {
		p.quality = 82
	}
	p.Cost = info.Cost + p.cost()
	return p, nil
}

// fit returns the part of a picture of the size seen that is kept, and the size
// it is given.
func (r Request) fit(seen image.Point) (part image.Rectangle, size image.Point) {
	part = image.Rectangle{Max: seen}
	switch r.Fit {
	case Fill:
		return part, image.Pt(r.Width, r.Height)
	case Cover:
		keep := seen
		if w := scale(seen.Y, r.Width, r.Height); w < seen.X {
			keep.X = w
		} else {
			keep.Y = min(seen.Y, scale(seen.X, r.Height, r.Width))
		}
		corner := seen.Sub(keep).Div(2)
		return image.Rectangle{Min: corner, Max: corner.Add(keep)}, image.Pt(r.Width, r.Height)
	}
	w, h := r.Width, r.Height
	if !r.Enlarge {
		w, h = min(w, seen.X), min(h, seen.Y)
	}
	switch {
	case w == 0 && h == 0:
		return part, seen
	case h == 0 || w != 0 && int64(w)*int64(seen.Y) <= int64(h)*int64(seen.X):
		return part, image.Pt(w, scale(seen.Y, w, seen.X))
	default:
		return part, image.Pt(scale(seen.X, h, seen.Y), h)
	}
}

// scale returns n * num / den, rounded, at least 1.
func scale(n, num, den int) int {
	return max(1, int(math.Round(float64(n)*float64(num)/float64(den))))
}

// cost is what scaling, turning and encoding take beside the decoded picture.
func (p Plan) cost() int64 {
	area := func(a image.Point) int64 { return int64(a.X) * int64(a.Y) }
	cost := int64(2 << 20) // buffers of bands and encoders
	from := p.source.Size()
	if p.box != (image.Point{}) {
		cost += 4 * area(p.box)
		from = p.box
	}
	if from != p.scaled {
		cost += 14 * 8 * int64(p.scaled.X) // rows of the kernel
	}
	out := area(p.scaled)
	cost += 4 * out
	if p.orientation != (orientation{}) {
		cost += 4 * out
	}
	switch p.Format {
	case JPEG:
		cost += 2 * out // the file: seldom more, and its buffer grows by doubling
	case PNG:
		cost += 6 * out
	case GIF:
		cost += 4 * out
	}
	return cost
}
