package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
)

// encode writes the pixels, which it may change.
func encode(pixels *image.RGBA, plan Plan, background color.Color, grey bool, colours color.Palette, maxBytes int64, m *meter) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, damaged(plan.Format, fmt.Errorf("the encoder panicked: %v", p))
		}
	}()
	w := &writer{most: maxBytes, meter: m}
	switch plan.Format {
	case JPEG:
		flatten(pixels, background)
		// image/jpeg is quick with RGBA and Gray alone: any other type costs it an
		// allocation a pixel.
		err = jpeg.Encode(w, greyOr(pixels, grey), &jpeg.Options{Quality: plan.quality})
	case PNG:
		err = png.Encode(w, greyOr(pixels, grey))
	default:
		var indexed *image.Paletted
		if indexed, err = dither(pixels, colours, m); err == nil {
			err = gif.Encode(w, indexed, nil)
		}
	}
	switch {
	case m.ctx.Err() != nil:
		return nil, context.Cause(m.ctx)
	case errors.Is(err, errTooLong):
		return nil, fail(PictureFault, "the result has more than %d bytes", maxBytes)
	case err != nil:
		return nil, err
	}
	return w.buf.Bytes(), nil
}

var errTooLong = errors.New("too long")

// writer ends an encoder that has written too much, or whose context has ended.
type writer struct {
	buf   bytes.Buffer
	most  int64
	meter *meter
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.meter.row(0, 0); err != nil {
		return 0, err
	}
	if int64(w.buf.Len()+len(p)) > w.most {
		return 0, errTooLong
	}
	return w.buf.Write(p)
}

// flatten lays the pixels on the background, white if it is nil.
func flatten(m *image.RGBA, background color.Color) {
	if m.Opaque() {
		return
	}
	if background == nil {
		background = color.White
	}
	r, g, b, _ := background.RGBA()
	behind := [3]uint32{r >> 8, g >> 8, b >> 8}
	for pix := m.Pix; len(pix) >= 4; pix = pix[4:] {
		missing := 255 - uint32(pix[3])
		for i, c := range behind {
			pix[i] += uint8((c*missing + 127) / 255)
		}
		pix[3] = 255
	}
}

func isGrey(m image.Image) bool {
	switch m.(type) {
	case *image.Gray, *image.Gray16:
		return true
	}
	return false
}

// greyOr returns m in one channel if the picture was grey, which is exact and
// makes a smaller file.
func greyOr(m *image.RGBA, grey bool) image.Image {
	if !grey {
		return m
	}
	dst := image.NewGray(m.Rect)
	for i := range dst.Pix {
		dst.Pix[i] = m.Pix[4*i]
	}
	return dst
}

// paletteOf returns the colours of a GIF, to write the result with.
func paletteOf(m image.Image) color.Palette {
	if p, ok := m.(*image.Paletted); ok {
		return p.Palette
	}
	return nil
}

// threshold makes each pixel opaque or transparent: GIF knows nothing between.
func threshold(m *image.RGBA) {
	for pix := m.Pix; len(pix) >= 4; pix = pix[4:] {
		a := uint32(pix[3])
		if a < 128 {
			clear(pix[:4])
			continue
		}
		for i := range 3 {
			pix[i] = uint8(min(255, uint32(pix[i])*255/a))
		}
		pix[3] = 255
	}
}
