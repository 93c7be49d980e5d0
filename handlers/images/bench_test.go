package images

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/draw"
)

// photograph returns a JPEG of 3000x2000 pixels with as much detail as a picture
// from a camera: some 2 MB.
func photograph(b *testing.B) []byte {
	m := image.NewRGBA(image.Rect(0, 0, 3000, 2000))
	random := rand.New(rand.NewPCG(7, 8))
	for y := range 2000 {
		for x := range 3000 {
			v := 120 + 70*math.Sin(float64(x)/83)*math.Cos(float64(y)/61) + 25*math.Sin(float64(x*y)/4000) + 12*random.Float64()
			pix := m.Pix[m.PixOffset(x, y):]
			pix[0], pix[1], pix[2], pix[3] = byte(v), byte(v*0.9), byte(255-v), 255
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 88}); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkTransform makes a JPEG 800 pixels wide of one of 3000x2000, then does
// each step of it alone, and the scaling as golang.org/x/image/draw does it.
func BenchmarkTransform(b *testing.B) {
	data := photograph(b)
	request := Request{Width: 800}
	info, err := Inspect(data, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	plan, err := request.Plan(info, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	decoded, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		b.Fatal(err)
	}
	pixels, err := plan.render(decoded, idle())
	if err != nil {
		b.Fatal(err)
	}
	small, err := shrinkBoxes(decoded, decoded.Bounds(), plan.box, idle())
	if err != nil {
		b.Fatal(err)
	}
	library := image.NewRGBA(image.Rect(0, 0, 800, 533))
	nrgba := image.NewNRGBA(pixels.Rect)
	draw.Draw(nrgba, nrgba.Rect, pixels, image.Point{}, draw.Src)
	b.Logf("%d bytes, boxes of %v, cost %d MB", len(data), plan.box, plan.Cost>>20)
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"whole", func() error {
			_, err := Transform(context.Background(), data, request, Limits{}, nil)
			return err
		}},
		{"inspect", func() error { _, err := Inspect(data, Limits{}); return err }},
		{"decode", func() error { _, err := decode(JPEG, data, idle()); return err }},
		{"boxes", func() error { _, err := shrinkBoxes(decoded, decoded.Bounds(), plan.box, idle()); return err }},
		{"kernel", func() error { _, err := resample(small, small.Bounds(), plan.scaled, idle()); return err }},
		{"encode", func() error {
			_, err := encode(pixels, plan, nil, false, nil, 1<<30, idle())
			return err
		}},
		{"encode from NRGBA", func() error { return jpeg.Encode(&bytes.Buffer{}, nrgba, &jpeg.Options{Quality: 82}) }},
		{"kernel alone", func() error { _, err := resample(decoded, decoded.Bounds(), plan.scaled, idle()); return err }},
		{"draw.CatmullRom", func() error {
			draw.CatmullRom.Scale(library, library.Rect, decoded, decoded.Bounds(), draw.Src, nil)
			return nil
		}},
		{"draw.ApproxBiLinear", func() error {
			draw.ApproxBiLinear.Scale(library, library.Rect, decoded, decoded.Bounds(), draw.Src, nil)
			return nil
		}},
	} {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := step.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFormats writes 1200x800 pixels, some transparent, in each format.
func BenchmarkFormats(b *testing.B) {
	m := picture(1200, 800, true)
	for _, format := range []Format{JPEG, PNG, GIF} {
		b.Run("write "+format.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pixels := image.NewRGBA(m.Rect)
				copy(pixels.Pix, m.Pix)
				if _, err := encode(pixels, Plan{Format: format, quality: 82}, nil, false, nil, 1<<30, idle()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
