package images_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/images"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// corpus returns the names of the pictures in testdata that can be read.
func corpus(t testing.TB) (names []string) {
	t.Helper()
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		switch filepath.Ext(f.Name()) {
		case ".jpg", ".png", ".gif", ".webp":
			if f.Name() != "animated.webp" { // refused: TestRefused
				names = append(names, f.Name())
			}
		}
	}
	if len(names) < 40 {
		t.Fatalf("testdata has %d pictures, want 40 at least", len(names))
	}
	return names
}

func toRGBA(t testing.TB, data []byte) *image.RGBA {
	t.Helper()
	m, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	dst := image.NewRGBA(image.Rectangle{Max: m.Bounds().Size()})
	draw.Draw(dst, dst.Rect, m, m.Bounds().Min, draw.Src)
	return dst
}

// difference returns how far two pictures are apart: the mean of the samples'
// differences, and the largest among means over squares of 8 pixels, which tells
// a part that is wrong from noise.
func difference(a, b *image.RGBA) (mean, worst float64) {
	if a.Rect != b.Rect {
		return math.Inf(1), math.Inf(1)
	}
	part := func(r image.Rectangle) (sum float64) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				i := a.PixOffset(x, y)
				for c := range 4 {
					sum += math.Abs(float64(a.Pix[i+c]) - float64(b.Pix[i+c]))
				}
			}
		}
		return sum / float64(4*r.Dx()*r.Dy())
	}
	for y := 0; y < a.Rect.Dy(); y += 8 {
		for x := 0; x < a.Rect.Dx(); x += 8 {
			worst = max(worst, part(image.Rect(x, y, x+8, y+8).Intersect(a.Rect)))
		}
	}
	return part(a.Rect), worst
}

func transform(t testing.TB, data []byte, request images.Request) images.Result {
	t.Helper()
	result, err := images.Transform(context.Background(), data, request, images.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestGolden compares with what Pillow makes of each picture (testdata/generate.py).
// Two decoders of JPEG differ where colours are sampled more coarsely.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.png")
	if err != nil || len(files) < 90 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(filepath.Base(file), ".png")
		at := strings.IndexByte(base, '.') + 1
		at += strings.IndexByte(base[at:], '.')
		name, query := base[:at], base[at+1:]
		t.Run(name+"?"+query, func(t *testing.T) {
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			request, err := images.ParseQuery(values)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			golden := toRGBA(t, want)
			mean, worst := 1.25, 5.0
			switch {
			case strings.HasSuffix(name, ".jpg"):
				mean, worst = 6, 21
			case name == "lossy.webp", name == "exif-8.webp":
				mean, worst = 3, 9
			}
			for _, c := range []struct {
				format      images.Format
				mean, worst float64
			}{
				{images.PNG, mean, worst},
				{images.JPEG, 9, 20},
				{images.GIF, 16, 40},
			} {
				request.Format, request.Quality = c.format, 95
				result := transform(t, read(t, name), request)
				got, want := toRGBA(t, result.Data), golden
				if c.format == images.JPEG {
					want = onWhite(golden)
				}
				if c.format == images.GIF {
					want = opaqueOrNot(golden)
				}
				if result.ContentType != c.format.ContentType() || result.Width != want.Rect.Dx() || result.Height != want.Rect.Dy() {
					t.Errorf("%s: %s %dx%d, want %v", c.format, result.ContentType, result.Width, result.Height, want.Rect.Size())
				}
				if mean, worst := difference(got, want); mean > c.mean || worst > c.worst {
					t.Errorf("%s: differs by %.2f, at the worst place by %.2f; may %.2f and %.2f", c.format, mean, worst, c.mean, c.worst)
				} else {
					t.Logf("%s: differs by %.2f, at the worst place by %.2f", c.format, mean, worst)
				}
			}
		})
	}
}

func onWhite(m *image.RGBA) *image.RGBA {
	dst := image.NewRGBA(m.Rect)
	draw.Draw(dst, dst.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(dst, dst.Rect, m, image.Point{}, draw.Over)
	return dst
}

// opaqueOrNot is what GIF can show of transparency.
func opaqueOrNot(m *image.RGBA) *image.RGBA {
	dst := image.NewRGBA(m.Rect)
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			if c.A >= 128 {
				dst.Set(x, y, color.NRGBA{c.R, c.G, c.B, 255})
			}
		}
	}
	return dst
}
