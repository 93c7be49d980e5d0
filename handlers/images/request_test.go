package images_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gale-server/gale/handlers/images"
)

func TestParseQuery(t *testing.T) {
	for _, c := range []struct {
		query string
		want  images.Request
		err   string
	}{
		{query: "", want: images.Request{}},
		{query: "width=&fit=&page=7", want: images.Request{}}, // an empty field of a form; another's parameter
		{query: "width=800", want: images.Request{Width: 800}},
		{query: "width=80&height=60&fit=cover", want: images.Request{Width: 80, Height: 60, Fit: images.Cover}},
		{query: "width=80&height=60&fit=fill&format=gif", want: images.Request{Width: 80, Height: 60, Fit: images.Fill, Format: images.GIF}},
		{query: "height=60&enlarge=1&fit=contain", want: images.Request{Height: 60, Enlarge: true}},
		{query: "crop=1,2,30,40&rotate=270&format=jpg&quality=100", want: images.Request{Crop: image.Rect(1, 2, 31, 42), Rotate: 270, Format: images.JPEG, Quality: 100}},
		{query: "format=jpeg", want: images.Request{Format: images.JPEG}},
		{query: "format=png&background=fF8001", want: images.Request{Format: images.PNG, Background: color.RGBA{255, 128, 1, 255}}},
		{query: "format=same&rotate=90", want: images.Request{Rotate: 90}},
		{query: "rotate=180", want: images.Request{Rotate: 180}},

		{query: "width=0", err: "width: want a whole number from 1 to 1000000"},
		{query: "width=-1", err: "width: want a whole number"},
		{query: "width=%2B5", err: "width: want a whole number"},
		{query: "width=1e3", err: "width: want a whole number"},
		{query: "width=10000000000000000000000", err: "width: want a whole number"},
		{query: "height=1000001", err: "height: want a whole number"},
		{query: "width=1&width=2", err: "width: want it once"},
		{query: "fit=stretch", err: "fit: want contain, cover or fill"},
		{query: "fit=cover&width=3", err: "fit: cover needs width and height"},
		{query: "fit=fill", err: "fit: fill needs width and height"},
		{query: "enlarge=2", err: "enlarge: want a whole number from 0 to 1"},
		{query: "crop=1,2,3", err: "crop: want x,y,width,height"},
		{query: "crop=1,2,3,4,5", err: "crop: want x,y,width,height"},
		{query: "crop=1,2,0,4", err: "crop: want x,y,width,height"},
		{query: "crop=-1,2,3,4", err: "crop: want x,y,width,height"},
		{query: "crop=1,2,3,1000001", err: "crop: want x,y,width,height"},
		{query: "rotate=45", err: "rotate: want 0, 90, 180 or 270"},
		{query: "format=webp", err: "format: want same, jpeg, jpg, png or gif"},
		{query: "quality=0", err: "quality: want a whole number from 1 to 100"},
		{query: "quality=101", err: "quality: want a whole number from 1 to 100"},
		{query: "background=white", err: "background: want a colour as six hexadecimal digits"},
		{query: "background=fff", err: "background: want a colour"},
	} {
		values, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := images.ParseQuery(values)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || images.StatusOf(err) != 400 || got != (images.Request{}) {
				t.Errorf("%s: %v, want %q", c.query, err, c.err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %+v %v, want %+v", c.query, got, err, c.want)
		}
	}
}

// TestPlan: sizes of results, and the format that Same is.
func TestPlan(t *testing.T) {
	wide := read(t, "rgb8.png") // 120x80
	for _, c := range []struct {
		data    []byte
		request images.Request
		want    string
	}{
		{wide, images.Request{}, "120x80 png"},
		{wide, images.Request{Width: 60}, "60x40 png"},
		{wide, images.Request{Height: 60}, "90x60 png"},
		{wide, images.Request{Width: 60, Height: 60}, "60x40 png"},
		{wide, images.Request{Width: 600, Height: 20}, "30x20 png"},
		{wide, images.Request{Width: 1}, "1x1 png"},
		{wide, images.Request{Width: 240}, "120x80 png"},
		{wide, images.Request{Width: 240, Enlarge: true}, "240x160 png"},
		{wide, images.Request{Width: 240, Height: 40}, "60x40 png"},
		{wide, images.Request{Width: 7, Height: 200, Fit: images.Cover}, "7x200 png"},
		{wide, images.Request{Width: 7, Height: 200, Fit: images.Fill}, "7x200 png"},
		{wide, images.Request{Rotate: 90}, "80x120 png"},
		{wide, images.Request{Rotate: 90, Width: 40}, "40x60 png"},
		{wide, images.Request{Crop: image.Rect(10, 10, 20, 30)}, "10x20 png"},
		{wide, images.Request{Crop: image.Rect(10, 10, 20, 30), Rotate: 270, Height: 5}, "10x5 png"},
		{read(t, "exif-6.jpg"), images.Request{}, "61x43 jpeg"},
		{read(t, "exif-6.jpg"), images.Request{Rotate: 90, Format: images.GIF}, "43x61 gif"},
		{read(t, "still.gif"), images.Request{}, "120x80 gif"},
		{read(t, "lossy.webp"), images.Request{}, "120x80 jpeg"},
		{read(t, "lossy-alpha.webp"), images.Request{}, "120x80 png"},
		{read(t, "lossless.webp"), images.Request{}, "120x80 png"},
	} {
		info, err := images.Inspect(c.data, images.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := c.request.Plan(info, images.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		result := transform(t, c.data, c.request)
		m := toRGBA(t, result.Data)
		got := fmt.Sprintf("%dx%d %s", plan.Width, plan.Height, plan.Format)
		if got != c.want || m.Rect.Size() != image.Pt(plan.Width, plan.Height) || result.ContentType != plan.Format.ContentType() {
			t.Errorf("%+v: %s, %v, want %s", c.request, got, m.Rect, c.want)
		}
	}
}

func TestQualityAndBackground(t *testing.T) {
	data := read(t, "rgba8.png")
	small := transform(t, data, images.Request{Format: images.JPEG, Quality: 20})
	large := transform(t, data, images.Request{Format: images.JPEG, Quality: 95})
	standard := transform(t, data, images.Request{Format: images.JPEG})
	if !(len(small.Data) < len(standard.Data) && len(standard.Data) < len(large.Data)) {
		t.Error(len(small.Data), len(standard.Data), len(large.Data))
	}
	for _, background := range []color.Color{nil, color.Black, color.RGBA{10, 200, 30, 255}} {
		m := toRGBA(t, transform(t, data, images.Request{Format: images.JPEG, Quality: 100, Background: background}).Data)
		if background == nil {
			background = color.White
		}
		// The first row is transparent; so is a block in the middle.
		r, g, b, _ := background.RGBA()
		got := m.RGBAAt(45, 60)
		for i, pair := range [][2]int{{int(r >> 8), int(got.R)}, {int(g >> 8), int(got.G)}, {int(b >> 8), int(got.B)}} {
			if d := pair[0] - pair[1]; d < -12 || d > 12 {
				t.Errorf("background %v, channel %d: %v", background, i, got)
			}
		}
	}
}

// TestGreyStaysGrey: in one channel, which a viewer cannot tell and a disk can.
func TestGreyStaysGrey(t *testing.T) {
	for _, name := range []string{"grey.jpg", "grey8.png", "grey16.png"} {
		for _, format := range []images.Format{images.JPEG, images.PNG} {
			m, _, err := image.Decode(strings.NewReader(string(transform(t, read(t, name), images.Request{Width: 50, Format: format}).Data)))
			if _, ok := m.(*image.Gray); err != nil || !ok {
				t.Errorf("%s as %s: %T %v", name, format, m, err)
			}
		}
	}
}

// TestNoMetadata: what a camera wrote of place and time does not pass.
func TestNoMetadata(t *testing.T) {
	for _, name := range []string{"exif-6.jpg", "exif-6.png", "exif-6.webp"} {
		result := transform(t, read(t, name), images.Request{})
		if s := string(result.Data); strings.Contains(s, "Exif") || strings.Contains(s, "eXIf") || strings.Contains(s, "2026:01:01") {
			t.Errorf("%s: metadata in the result", name)
		}
	}
}

// TestDataIsLeftAlone: a caller may share the bytes between jobs.
func TestDataIsLeftAlone(t *testing.T) {
	for _, name := range corpus(t) {
		if strings.HasPrefix(name, "large") {
			continue
		}
		data := read(t, name)
		before := string(data)
		transform(t, data, images.Request{Width: 20, Rotate: 90, Format: images.JPEG})
		if string(data) != before {
			t.Errorf("%s: the input has changed", name)
		}
	}
}

func TestProgress(t *testing.T) {
	for _, name := range []string{"large-progressive.jpg", "large-interlaced-rgba16.png", "large-interlaced.gif", "large-lossy-alpha.webp"} {
		var told []int
		_, err := images.Transform(context.Background(), read(t, name), images.Request{Width: 300, Rotate: 90}, images.Limits{}, func(percent int) {
			told = append(told, percent)
		})
		if err != nil {
			t.Fatal(err)
		}
		last := 0
		for _, p := range told {
			if p <= last || p > 100 {
				t.Errorf("%s: %v", name, told)
				break
			}
			last = p
		}
		if last != 100 || len(told) < 10 || !strings.HasSuffix(name, "webp") && told[2] >= 50 {
			t.Errorf("%s: %v", name, told)
		}
	}
}

// TestCancel ends the context at each percent in turn: the work ends there, with
// the context's cause.
func TestCancel(t *testing.T) {
	cause := errors.New("the client has gone")
	for _, name := range []string{"sampling-420.jpg", "rgba8.png", "still.gif", "lossy.webp", "interlaced-rgba16.png"} {
		data := read(t, name)
		for _, format := range []images.Format{images.JPEG, images.PNG, images.GIF} {
			for at := 0; at < 100; at += 7 {
				ctx, cancel := context.WithCancelCause(context.Background())
				last := -1
				_, err := images.Transform(ctx, data, images.Request{Width: 30, Rotate: 90, Format: format}, images.Limits{}, func(percent int) {
					if percent >= at {
						cancel(cause)
					}
					if last >= at {
						t.Errorf("%s to %s: at %d%% though it ended at %d%%", name, format, percent, at)
					}
					last = percent
				})
				// One that ends with the last percent has been done in time.
				if last < 100 && (err != cause || images.StatusOf(err) != 500) {
					t.Errorf("%s to %s, ended at %d%%: %v", name, format, last, err)
				}
				cancel(nil)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	_, err := images.Transform(ctx, read(t, "rgb8.png"), images.Request{}, images.Limits{}, nil)
	if !errors.Is(err, context.DeadlineExceeded) || images.StatusOf(err) != 503 {
		t.Error(err)
	}
}

// TestAtOnce: jobs on the same bytes leave each other alone.
func TestAtOnce(t *testing.T) {
	names := []string{"odd-420.jpg", "palette8.png", "transparent.gif", "exif-8.webp", "palette8.png", "transparent.gif"}
	var jobs sync.WaitGroup
	for _, name := range names {
		data := read(t, name)
		want := transform(t, data, images.Request{Width: 30, Format: images.GIF})
		for range 2 {
			jobs.Go(func() {
				got, err := images.Transform(context.Background(), data, images.Request{Width: 30, Format: images.GIF}, images.Limits{}, nil)
				if err != nil || !bytes.Equal(got.Data, want.Data) {
					t.Errorf("%s: %v, or another result", name, err)
				}
			})
		}
	}
	jobs.Wait()
}

func TestStatusOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 200},
		{errors.New("other"), 500},
		{context.Canceled, 503},
		{fmt.Errorf("job: %w", context.DeadlineExceeded), 503},
		{&images.Error{Fault: images.RequestFault}, 400},
		{&images.Error{Fault: images.SizeFault}, 413},
		{&images.Error{Fault: images.FormatFault}, 415},
		{fmt.Errorf("job: %w", &images.Error{Fault: images.PictureFault}), 422},
		{&images.Error{}, 500},
	} {
		if got := images.StatusOf(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
