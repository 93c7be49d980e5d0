package images

import (
	"image"
	"image/color"
	"net/url"
	"strconv"
	"strings"
)

// Fit says how a picture fills the box of a Request's Width and Height. Safe for
// concurrent use.
type Fit uint8

const (
	// Contain keeps the proportions; the picture lies inside the box. A side that
	// is 0 follows the other.
	Contain Fit = iota
	// Cover keeps the proportions and fills the box; what hangs over is cut off
	// evenly on both sides.
	Cover
	// Fill stretches the picture to the box.
	Fill
)

var fits = [...]string{Contain: "contain", Cover: "cover", Fill: "fill"}

// Request says what is made of a picture, in this order: it is turned upright as
// its EXIF orientation says, cropped, rotated, scaled, and written in a format.
// The zero Request turns it upright and drops its metadata.
//
// Safe for concurrent use.
type Request struct {
	// Crop is the part to keep, in pixels of the upright picture. Empty keeps all.
	// It must lie within the picture.
	Crop image.Rectangle

	// Rotate is 0, 90, 180 or 270 degrees clockwise.
	Rotate int

	// Width and Height are the box of the result, in pixels; 0 is any. Cover and
	// Fill need both.
	Width, Height int
	Fit           Fit

	// Enlarge lets Contain make a picture larger. Cover and Fill always reach the
	// box.
	Enlarge bool

	// Format of the result. Same writes a WebP, which cannot be written, as PNG
	// if it is lossless or may have transparent parts, else as JPEG.
	Format Format

	// Quality of a JPEG from 1 to 100. Default 82: the eye sees no loss at the
	// size of a screen, and the file is half that of 92.
	Quality int

	// Background lies behind transparent parts where JPEG, which has none, is
	// written. Its alpha is ignored; the default is white.
	Background color.Color
}

// ParseQuery reads a request from the parameters of a URL:
//
//	width, height   pixels, at least 1
//	fit             contain, cover or fill
//	enlarge         0 or 1
//	crop            x,y,width,height in pixels
//	rotate          0, 90, 180 or 270
//	format          same, jpeg (or jpg), png or gif
//	quality         1 to 100
//	background      a colour as six hexadecimal digits
//
// Other parameters are left to the application. A parameter given twice, or with
// a value it cannot have, is an *Error of RequestFault.
func ParseQuery(query url.Values) (Request, error) {
	p := queryParser{query: query}
	r := Request{
		Width:      p.number("width", 1, maxNumber, 0),
		Height:     p.number("height", 1, maxNumber, 0),
		Fit:        Fit(p.word("fit", fits[:])),
		Enlarge:    p.number("enlarge", 0, 1, 0) == 1,
		Crop:       p.rectangle("crop"),
		Rotate:     90 * p.word("rotate", []string{"0", "90", "180", "270"}),
		Format:     p.format("format"),
		Quality:    p.number("quality", 1, 100, 0),
		Background: p.colour("background"),
	}
	if p.err != nil {
		return Request{}, p.err
	}
	if err := r.check(); err != nil {
		return Request{}, err
	}
	return r, nil
}

// maxNumber bounds the numbers of a query; the limits that matter come later.
const maxNumber = 1_000_000

// check refuses what no picture can satisfy.
func (r Request) check() error {
	switch {
	case r.Width < 0 || r.Height < 0 || r.Width > maxNumber || r.Height > maxNumber:
		return fail(RequestFault, "width and height: want 0 to %d", maxNumber)
	case int(r.Fit) >= len(fits):
		return fail(RequestFault, "fit: unknown")
	case r.Fit != Contain && (r.Width == 0 || r.Height == 0):
		return fail(RequestFault, "fit: %s needs width and height", fits[r.Fit])
	case r.Rotate != 0 && r.Rotate != 90 && r.Rotate != 180 && r.Rotate != 270:
		return fail(RequestFault, "rotate: want 0, 90, 180 or 270")
	case r.Format == WebP:
		return fail(RequestFault, "format: webp can be read, not written")
	case r.Format > WebP:
		return fail(RequestFault, "format: unknown")
	case r.Quality < 0 || r.Quality > 100:
		return fail(RequestFault, "quality: want 1 to 100")
	}
	return nil
}

// queryParser keeps the first error.
type queryParser struct {
	query url.Values
	err   error
}

func (p *queryParser) fail(name, want string) {
	if p.err == nil {
		p.err = fail(RequestFault, "%s: want %s", name, want)
	}
}

// value returns the parameter, or false if it is absent, empty, or given twice.
func (p *queryParser) value(name string) (string, bool) {
	values := p.query[name]
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", false
	case len(values) > 1:
		p.fail(name, "it once")
		return "", false
	}
	return values[0], true
}

func (p *queryParser) number(name string, least, most, absent int) int {
	v, ok := p.value(name)
	if !ok {
		return absent
	}
	n, ok := decimal(v)
	if !ok || n < least || n > most {
		p.fail(name, "a whole number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
		return absent
	}
	return n
}

// decimal reads digits and nothing else: no sign, no space.
func decimal(s string) (int, bool) {
	if len(s) == 0 || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// word returns the place of the parameter among words; 0 if absent.
func (p *queryParser) word(name string, words []string) int {
	v, ok := p.value(name)
	if !ok {
		return 0
	}
	for i, w := range words {
		if v == w {
			return i
		}
	}
	p.fail(name, strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1])
	return 0
}

func (p *queryParser) format(name string) Format {
	return [...]Format{Same, JPEG, JPEG, PNG, GIF}[p.word(name, []string{"same", "jpeg", "jpg", "png", "gif"})]
}

func (p *queryParser) rectangle(name string) image.Rectangle {
	const want = "x,y,width,height in pixels"
	v, ok := p.value(name)
	if !ok {
		return image.Rectangle{}
	}
	parts := strings.SplitN(v, ",", 5)
	if len(parts) != 4 {
		p.fail(name, want)
		return image.Rectangle{}
	}
	var n [4]int
	for i, part := range parts {
		if n[i], ok = decimal(part); !ok || n[i] > maxNumber || i >= 2 && n[i] == 0 {
			p.fail(name, want)
			return image.Rectangle{}
		}
	}
	return image.Rect(n[0], n[1], n[0]+n[2], n[1]+n[3])
}

func (p *queryParser) colour(name string) color.Color {
	v, ok := p.value(name)
	if !ok {
		return nil
	}
	rgb, err := strconv.ParseUint(v, 16, 24)
	if err != nil || len(v) != 6 {
		p.fail(name, "a colour as six hexadecimal digits")
		return nil
	}
	return color.RGBA{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb), 255}
}
