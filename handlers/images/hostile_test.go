package images_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/images"
)

// allocated returns the bytes that f allocates in all: no less than it holds at
// any time.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func deflate(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, zlib.BestSpeed)
	zeros := make([]byte, 1<<20)
	for ; n > 0; n -= len(zeros) {
		if _, err := w.Write(zeros[:min(n, len(zeros))]); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return b.Bytes()
}

// scans returns the progressive picture with its last scan repeated n times.
func scans(t *testing.T, n int) []byte {
	data := read(t, "progressive.jpg")
	at := bytes.LastIndex(data, []byte{0xff, 0xda})
	end := len(data) - 2
	last := data[at:end]
	return slices.Concat(data[:end], bytes.Repeat(last, n), data[end:])
}

var none = images.Limits{MaxBytes: -1, MaxPixels: -1, MaxSide: -1, MaxDecodedBytes: -1, MaxScans: -1, MaxFrames: -1, MaxFramePixels: -1, MaxParts: -1, MaxOutputPixels: -1, MaxOutputBytes: -1}

// TestRefused: each hostile file is refused, with the status and a reason that
// fit, and next to no memory.
func TestRefused(t *testing.T) {
	small := read(t, "rgb8.png")
	pixels := deflate(t, 100*(100*3+1))
	bomb := deflate(t, 64<<20)
	manyFrames := bytes.Repeat(onePixel, 300)
	tooDeep := images.Limits{MaxDecodedBytes: 10 << 20}
	for _, c := range []struct {
		name   string
		data   []byte
		limits images.Limits
		status int
		reason string
	}{
		{"nothing", nil, images.Limits{}, 415, "empty"},
		{"a byte", []byte{0xff}, images.Limits{}, 415, "no JPEG, PNG, GIF or WebP"},
		{"zeros", make([]byte, 100_000), images.Limits{}, 415, "no JPEG"},
		{"text", []byte("hello, I am a picture.png"), images.Limits{}, 415, "no JPEG"},
		{"HTML", []byte("<!doctype html><script>1</script>"), images.Limits{}, 415, "no JPEG"},
		{"SVG", []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), images.Limits{}, 415, "no JPEG"},
		{"BMP", []byte("BM\x36\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00"), images.Limits{}, 415, "no JPEG"},
		{"TIFF", []byte("II*\x00\x08\x00\x00\x00"), images.Limits{}, 415, "no JPEG"},
		{"PDF", []byte("%PDF-1.7\n"), images.Limits{}, 415, "no JPEG"},
		{"sound", []byte("RIFF\x24\x00\x00\x00WAVEfmt "), images.Limits{}, 415, "no JPEG"},
		{"too many bytes", small, images.Limits{MaxBytes: int64(len(small)) - 1}, 413, "the limit is"},
		{"format left out", small, images.Limits{Formats: []images.Format{images.JPEG, images.WebP}}, 415, "png are not accepted"},

		{"PNG: nothing but its name", []byte("\x89PNG\r\n\x1a\n"), images.Limits{}, 422, "damaged"},
		{"PNG: a side too long", pngFile(65535, 1, 8, 2), images.Limits{}, 422, "16384 a side"},
		{"PNG: the other side too long", pngFile(1, 65535, 8, 2), images.Limits{}, 422, "16384 a side"},
		{"PNG: 65535x65535", pngFile(65535, 65535, 8, 6), images.Limits{MaxSide: -1}, 422, "pixels, the limit is 50000000"},
		{"PNG: 65535x65535 without limits", pngFile(65535, 65535, 8, 6, pngChunk("IDAT", bomb)), images.Limits{MaxSide: -1, MaxPixels: -1}, 422, "pixels, the limit is"},
		{"PNG: 2^31 wide", pngFile(1<<31-1, 1<<31-1, 16, 6), none, 422, "damaged"},
		{"PNG: negative", pngFile(1<<31, 1, 8, 2), images.Limits{}, 422, "damaged"},
		{"PNG: 0 wide", pngFile(0, 7, 8, 2), images.Limits{}, 422, "damaged"},
		{"PNG: lies on its height", pngFile(7000, 7000, 8, 2, pngChunk("IDAT", pixels)), images.Limits{}, 422, "damaged or cut short"},
		{"PNG: too deep", pngFile(2000, 2000, 16, 6, pngChunk("IDAT", bomb)), tooDeep, 422, "bytes of memory"},
		{"PNG: more pixels than it says", pngFile(100, 100, 8, 2, pngChunk("IDAT", bomb)), images.Limits{}, 422, "damaged"},
		{"PNG: fewer pixels than it says", pngFile(100, 200, 8, 2, pngChunk("IDAT", pixels)), images.Limits{}, 422, "damaged"},
		{"PNG: unknown compression", bytes.Replace(small, small[16:33], append(append([]byte{}, small[16:26]...), 9, 0, 0, 0, 0, 0, 0), 1), images.Limits{}, 415, "not supported"},
		{"PNG: many frames", pngFile(100, 100, 8, 2, bytes.Repeat(pngChunk("fcTL", make([]byte, 26)), 257), pngChunk("IDAT", pixels)), images.Limits{}, 422, "257 frames"},
		{"PNG: much in its frames", pngFile(100, 100, 8, 2, pngChunk("fcTL", append([]byte("\x00\x00\x00\x00\x7f\xff\xff\xff\x7f\xff\xff\xff"), make([]byte, 14)...)), pngChunk("IDAT", pixels)), images.Limits{}, 422, "in all its frames"},

		{"JPEG: nothing but its name", []byte("\xff\xd8\xff"), images.Limits{}, 422, "damaged"},
		{"JPEG: 65535x65535", jpegFile(65535, 65535, 0xc0), images.Limits{MaxSide: -1}, 422, "pixels, the limit is"},
		{"JPEG: a side too long", jpegFile(65535, 8, 0xc0), images.Limits{}, 422, "a side"},
		{"JPEG: 0 high", jpegFile(80, 0, 0xc0), images.Limits{}, 422, "no pixels"},
		{"JPEG: lies on its size", jpegFile(7000, 7000, 0xc0, make([]byte, 1000)), images.Limits{}, 422, "damaged"},
		{"JPEG: lies on its size, and has a scan", jpegFile(7000, 7000, 0xc0, oneScan), images.Limits{}, 422, "damaged"},
		{"JPEG: lies, progressive", jpegFile(4000, 4000, 0xc2, make([]byte, 1000)), images.Limits{}, 422, "damaged"},
		{"JPEG: progressive takes more", jpegFile(7000, 7000, 0xc2), images.Limits{}, 422, "bytes of memory"},
		{"JPEG: lossless", jpegFile(80, 80, 0xc3), images.Limits{}, 415, "not supported"},
		{"JPEG: arithmetic", jpegFile(80, 80, 0xc9), images.Limits{}, 415, "not supported"},
		{"JPEG: many scans", scans(t, 100), images.Limits{}, 422, "scans, the limit is 100"},
		{"JPEG: many scans after fill bytes", bytes.ReplaceAll(scans(t, 100), []byte{0xff, 0xda}, []byte{0xff, 0xff, 0xda}), images.Limits{}, 422, "scans, the limit is 100"},
		{"JPEG: two frame headers", jpegFile(80, 80, 0xc0, jpegFile(8000, 8000, 0xc0)[20:]), images.Limits{}, 422, "damaged"},

		{"GIF: nothing but its name", []byte("GIF89a"), images.Limits{}, 422, "damaged"},
		{"GIF: 65535x65535", gifFile(65535, 65535, onePixel), images.Limits{MaxSide: -1}, 422, "pixels, the limit is"},
		{"GIF: frame larger than the screen", gifFile(10, 10, gifFrame(5000, 5000, make([]byte, 200)...)), images.Limits{}, 422, "damaged"},
		{"GIF: lies on its size", gifFile(5000, 5000, gifFrame(5000, 5000, 0x44, 0x01)), images.Limits{}, 422, "damaged"},
		{"GIF: no frame", gifFile(10, 10), images.Limits{}, 422, "damaged"},
		{"GIF: 0 wide", gifFile(0, 10, onePixel), images.Limits{}, 422, "no pixels"},
		{"GIF: many frames", gifFile(1, 1, manyFrames), images.Limits{}, 422, "300 frames"},
		{"GIF: much in its frames", gifFile(600, 600, bytes.Repeat(gifFrame(600, 600, make([]byte, 250)...), 10)), images.Limits{MaxFramePixels: 3_500_000}, 422, "3600000 pixels in all its frames"},

		{"WebP: nothing but its name", []byte("RIFF\x04\x00\x00\x00WEBP"), images.Limits{}, 422, "damaged"},
		{"WebP: 2^24 wide", webpFile(vp8x(0, 1<<24, 100), vp8(100, 100)), images.Limits{}, 422, "a side"},
		{"WebP: 16383x16383", webpFile(vp8(16383, 16383)), images.Limits{}, 422, "pixels, the limit is"},
		{"WebP: lossless 16384x16384", webpFile(vp8l(16384, 16384)), images.Limits{}, 422, "pixels, the limit is"},
		{"WebP: lossless takes more", webpFile(vp8l(7000, 7000)), images.Limits{}, 422, "bytes of memory"},
		{"WebP: small outside, large inside", webpFile(vp8x(0, 10, 10), vp8(16383, 16383)), images.Limits{}, 422, "damaged"},
		{"WebP: small outside, large lossless inside", webpFile(vp8x(0, 10, 10), vp8l(16383, 16383)), images.Limits{}, 422, "damaged"},
		{"WebP: lies on its length", append([]byte("RIFF\xff\xff\xff\x7fWEBP"), vp8(64, 64)...), images.Limits{}, 422, "damaged"},
		{"WebP: lies on the length of its pixels", webpFile([]byte("VP8 \xff\xff\xff\x07\x10\x00\x00\x9d\x01\x2a\x40\x00\x40\x00")), images.Limits{}, 422, "damaged"},
		{"WebP: both lie", append([]byte("RIFF\xff\xff\xef\x00WEBPVP8 \x00\x00\xe0\x00"), vp8(64, 64)[8:]...), images.Limits{}, 422, "damaged"},
		{"WebP: alpha that is not there", webpFile(vp8x(1<<4, 64, 64), vp8(64, 64)), images.Limits{}, 422, "damaged"},
		{"WebP: animated", read(t, "animated.webp"), images.Limits{}, 415, "animated"},
		{"WebP: animated, it says", webpFile(vp8x(1<<1, 64, 64), vp8(64, 64)), images.Limits{}, 415, "animated"},
		{"WebP: no pixels", webpFile(vp8x(0, 64, 64)), images.Limits{}, 422, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			size := allocated(func() {
				_, err = images.Transform(context.Background(), c.data, images.Request{Width: 10}, c.limits, nil)
			})
			refusal(t, err, c.status)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v, want one that says %q", err, c.reason)
			}
			if size > 2<<20 {
				t.Errorf("%d bytes were allocated", size)
			}
		})
	}
}

// refusal checks that err is an *Error of one of the statuses, without bytes of
// the picture in its text.
func refusal(t *testing.T, err error, statuses ...int) {
	t.Helper()
	var e *images.Error
	if !errors.As(err, &e) || !slices.Contains(statuses, images.StatusOf(err)) || !strings.HasPrefix(err.Error(), "images: ") {
		t.Errorf("%v (%d), want status %v", err, images.StatusOf(err), statuses)
	}
}

// TestBomb: a picture whose pixels are within the limits but whose file is tiny
// takes the memory it is admitted for.
func TestBomb(t *testing.T) {
	data := pngFile(3000, 3000, 8, 0, pngChunk("IDAT", deflate(t, 3000*3001)))
	info, err := images.Inspect(data, images.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 50_000 || info.Cost != 9_000_000 {
		t.Fatal(len(data), info.Cost)
	}
	within(t, "bomb", data, images.Request{Width: 100})
}

// TestCost: Plan.Cost is what Transform allocates, within a factor.
func TestCost(t *testing.T) {
	for _, name := range corpus(t) {
		requests := []images.Request{{}, {Width: 100, Rotate: 90}}
		if strings.HasPrefix(name, "large") {
			requests = []images.Request{
				{Width: 700, Height: 900, Fit: images.Cover, Format: images.JPEG, Rotate: 90},
				{Width: 300, Height: 400, Fit: images.Fill, Format: images.GIF},
			}
		}
		if name == "large-progressive.jpg" {
			requests = append(requests, images.Request{Width: 2000, Enlarge: true, Format: images.JPEG})
		}
		for _, request := range requests {
			within(t, name, read(t, name), request)
		}
	}
}

func within(t *testing.T, name string, data []byte, request images.Request) {
	t.Helper()
	info, err := images.Inspect(data, images.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := request.Plan(info, images.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	size := allocated(func() {
		_, err = images.Transform(context.Background(), data, request, images.Limits{}, nil)
	})
	if err != nil {
		t.Fatal(name, err)
	}
	if size > plan.Cost || plan.Cost > 3*size+4<<20 {
		t.Errorf("%s %+v: allocated %d KiB, cost %d KiB", name, request, size>>10, plan.Cost>>10)
	}
}

// TestTruncated cuts each picture short: a clear refusal, or the picture where
// what is missing comes after its pixels.
func TestTruncated(t *testing.T) {
	for _, name := range corpus(t) {
		data := read(t, name)
		if len(data) > 20<<10 || strings.HasPrefix(name, "large") {
			continue
		}
		for n := range 64 { // of the header each byte
			_, err := images.Inspect(data[:n], images.Limits{})
			refusal(t, err, 415, 422)
		}
		for n := 0; n < len(data); n += max(1, len(data)/60) {
			_, err := images.Transform(context.Background(), data[:n], images.Request{Width: 8}, images.Limits{}, nil)
			if err == nil && n < len(data)*3/4 && !strings.HasPrefix(name, "animated") && !strings.HasPrefix(name, "offset") {
				t.Errorf("%s: %d bytes of %d pass", name, n, len(data))
			}
			if err != nil {
				refusal(t, err, 415, 422)
			}
		}
	}
}

// TestDamaged changes bytes of each picture: no crash, no memory beyond what the
// picture was admitted for, no error but a refusal.
func TestDamaged(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	limits := images.Limits{MaxPixels: 1 << 20}
	for _, name := range corpus(t) {
		original := read(t, name)
		if strings.HasPrefix(name, "large") {
			continue
		}
		for range 25 {
			data := bytes.Clone(original)
			for range 1 + random.IntN(4) {
				data[random.IntN(len(data))] = byte(random.Uint32())
			}
			damage(t, data, limits)
		}
	}
}

func damage(t *testing.T, data []byte, limits images.Limits) {
	t.Helper()
	request := images.Request{Width: 16, Height: 16, Fit: images.Cover, Format: images.JPEG}
	var err error
	size := allocated(func() {
		_, err = images.Transform(context.Background(), data, request, limits, nil)
	})
	if err != nil {
		refusal(t, err, 413, 415, 422)
	}
	most := int64(3 << 20)
	if info, err := images.Inspect(data, limits); err == nil {
		most += info.Cost
	}
	if size > most {
		t.Errorf("allocated %d bytes, want %d at most", size, most)
	}
}

func FuzzTransform(f *testing.F) {
	for _, name := range corpus(f) {
		if !strings.HasPrefix(name, "large") {
			f.Add(read(f, name), uint8(0))
		}
	}
	f.Add(gifFile(1, 1, onePixel), uint8(1))
	f.Add(webpFile(vp8x(0, 10, 10), vp8l(10, 10, 1, 2, 3)), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, how uint8) {
		limits := images.Limits{MaxPixels: 1 << 18, MaxDecodedBytes: 8 << 20}
		request := images.Request{Width: int(how%7) * 5, Rotate: int(how%4) * 90, Format: images.Format(how % 4)}
		info, err := images.Inspect(data, limits)
		if err != nil {
			refusal(t, err, 413, 415, 422)
		}
		result, terr := images.Transform(context.Background(), data, request, limits, nil)
		if terr != nil {
			refusal(t, terr, 413, 415, 422)
			return
		}
		if err != nil {
			t.Fatalf("refused by Inspect (%v), not by Transform", err)
		}
		plan, err := request.Plan(info, limits)
		if err != nil || result.Width != plan.Width || result.Height != plan.Height {
			t.Fatalf("%v: %+v and %+v", err, plan, result)
		}
		m, _, err := image.DecodeConfig(bytes.NewReader(result.Data))
		if err != nil || m.Width != plan.Width || m.Height != plan.Height {
			t.Fatalf("result: %v %+v, want %+v", err, m, plan)
		}
	})
}

func TestOutputLimits(t *testing.T) {
	big := pngFile(5000, 5000, 8, 0, pngChunk("IDAT", deflate(t, 5000*5001)))
	var noise bytes.Buffer
	grain := image.NewGray(image.Rect(0, 0, 300, 300))
	random := rand.New(rand.NewPCG(3, 4))
	for i := range grain.Pix {
		grain.Pix[i] = byte(random.Uint32())
	}
	if err := png.Encode(&noise, grain); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		data    []byte
		request images.Request
		limits  images.Limits
		status  int
		reason  string
	}{
		{big, images.Request{}, images.Limits{}, 400, "ask for a smaller width or height"},
		{big, images.Request{Width: 4500}, images.Limits{}, 400, "the limit is 16000000"},
		{big, images.Request{Width: 20000, Enlarge: true}, images.Limits{}, 400, "16384 a side"},
		{big, images.Request{Width: 20000, Height: 1, Fit: images.Fill}, images.Limits{}, 400, "16384 a side"},
		{noise.Bytes(), images.Request{}, images.Limits{MaxOutputBytes: 80_000}, 422, "more than 80000 bytes"},
		{noise.Bytes(), images.Request{}, images.Limits{MaxOutputBytes: 100_000}, 200, ""},
		{noise.Bytes(), images.Request{Crop: image.Rect(200, 200, 301, 300)}, images.Limits{}, 400, "crop: reaches outside the picture, which is 300x300"},
		{noise.Bytes(), images.Request{Crop: image.Rect(-1, 0, 30, 30)}, images.Limits{}, 400, "crop:"},
		{noise.Bytes(), images.Request{Format: images.WebP}, images.Limits{}, 400, "webp can be read, not written"},
		{noise.Bytes(), images.Request{Rotate: 45}, images.Limits{}, 400, "rotate:"},
		{noise.Bytes(), images.Request{Fit: images.Cover, Width: 5}, images.Limits{}, 400, "cover needs width and height"},
		{noise.Bytes(), images.Request{Quality: 101}, images.Limits{}, 400, "quality:"},
		{noise.Bytes(), images.Request{Width: -1}, images.Limits{}, 400, "width and height:"},
		{noise.Bytes(), images.Request{Fit: 9}, images.Limits{}, 400, "fit:"},
		{noise.Bytes(), images.Request{Format: 9}, images.Limits{}, 400, "format:"},
	} {
		_, err := images.Transform(context.Background(), c.data, c.request, c.limits, nil)
		if images.StatusOf(err) != c.status || err != nil && !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%+v: %v (%d), want %d %q", c.request, err, images.StatusOf(err), c.status, c.reason)
		}
	}
	if s := fmt.Sprint(images.JPEG, images.Same, images.Format(77)); s != "jpeg same Format(77)" {
		t.Error(s)
	}
}
