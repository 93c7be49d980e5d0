package images

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// Result is a picture that Transform has made. Data belongs to the caller. Not safe
// for concurrent use.
type Result struct {
	Data          []byte
	ContentType   string
	Width, Height int // in pixels
}

// Transform makes of a picture what the request says. It holds the calling
// goroutine and one core until it is done: run it in an executor's cpu class or
// in a process of its own, never on a loop.
//
// It stops early, with the context's cause, when ctx ends: the context is looked
// at between the steps, every few rows of each, and every KiB the decoder reads.
// A WebP is read in one step, for its decoder takes all its bytes at once.
//
// Progress, which may be nil, is called on the same goroutine with a percentage
// that only grows, ending with 100, some hundred times at most. It should return
// at once.
//
// Data is not retained, nor changed. The error is an *Error or the cause of
// ctx's end. Decoders are made for files that strangers wrote; should one panic
// all the same, the picture is refused as damaged.
func Transform(ctx context.Context, data []byte, request Request, limits Limits, progress func(percent int)) (Result, error) {
	info, err := Inspect(data, limits)
	if err != nil {
		return Result{}, err
	}
	plan, err := request.Plan(info, limits)
	if err != nil {
		return Result{}, err
	}
	m := &meter{ctx: ctx, progress: progress}
	m.step(50)
	if err := m.row(0, 1); err != nil {
		return Result{}, err
	}
	decoded, err := decode(info.Format, data, m)
	if err != nil {
		return Result{}, err
	}
	if info.Format != GIF && decoded.Bounds().Size() != info.stored {
		return Result{}, fail(PictureFault, "the %s picture contradicts itself on its size", info.Format)
	}
	grey, colours := isGrey(decoded), paletteOf(decoded)
	if info.Format == GIF {
		decoded = onScreen(decoded, info.stored)
	}
	pixels, err := plan.render(decoded, m)
	if err != nil {
		return Result{}, err
	}
	m.step(100)
	out, err := encode(pixels, plan, request.Background, grey, colours, limits.withDefaults().MaxOutputBytes, m)
	if err != nil {
		return Result{}, err
	}
	if err := m.row(1, 1); err != nil {
		return Result{}, err
	}
	return Result{Data: out, ContentType: plan.Format.ContentType(), Width: plan.Width, Height: plan.Height}, nil
}

// decode returns the pixels: of an animated GIF those of the first frame.
func decode(f Format, data []byte, m *meter) (decoded image.Image, err error) {
	defer func() {
		if p := recover(); p != nil {
			decoded, err = nil, damaged(f, fmt.Errorf("the decoder panicked: %v", p))
		}
	}()
	r := &reader{from: bytes.NewReader(data), size: len(data), meter: m}
	switch f {
	case JPEG:
		decoded, err = jpeg.Decode(r)
	case PNG:
		r.from = newPNGReader(data)
		decoded, err = png.Decode(r)
	case GIF:
		decoded, err = gif.Decode(r)
	default:
		if decoded, err = webp.Decode(r); err == nil {
			fullRange(decoded)
		}
	}
	if err == nil {
		return decoded, nil
	}
	if m.ctx.Err() != nil {
		return nil, context.Cause(m.ctx)
	}
	return nil, refused(f, err)
}

// onScreen lays a GIF's frame, which may be smaller, on its screen.
func onScreen(m image.Image, screen image.Point) image.Image {
	whole := image.Rectangle{Max: screen}
	if m.Bounds() == whole {
		return m
	}
	dst := image.NewNRGBA(whole)
	draw.Draw(dst, m.Bounds(), m, m.Bounds().Min, draw.Src)
	return dst
}

// reader gives a decoder little at a time, so that it hears of the end of the
// context.
type reader struct {
	from  io.Reader
	size  int // of the file
	at    int
	meter *meter
}

func (r *reader) Read(p []byte) (int, error) {
	const most = 1 << 10
	if err := r.meter.row(r.at, r.size); err != nil {
		return 0, err
	}
	n, err := r.from.Read(p[:min(len(p), most)])
	r.at += n
	return n, err
}

// render makes of the decoded picture the pixels of the result.
func (p Plan) render(src image.Image, m *meter) (*image.RGBA, error) {
	from := p.source.Add(src.Bounds().Min)
	if p.box != (image.Point{}) {
		m.step(65)
		small, err := shrinkBoxes(src, from, p.box, m)
		if err != nil {
			return nil, err
		}
		src, from = small, small.Bounds()
	}
	m.step(85)
	scaled, ok := src.(*image.RGBA)
	var err error
	switch {
	case from.Size() != p.scaled:
		scaled, err = resample(src, from, p.scaled, m)
	case !ok || scaled.Rect != from:
		scaled, err = toRGBA(src, from, m)
	}
	if err != nil {
		return nil, err
	}
	m.step(90)
	return p.orientation.apply(scaled, m)
}
