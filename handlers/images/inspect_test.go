package images_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"slices"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/images"
)

// TestInspect: what is told of a picture is what decoding it shows.
func TestInspect(t *testing.T) {
	frames := map[string]int{"animated.gif": 3, "animated.png": 3}
	for _, name := range corpus(t) {
		info, err := images.Inspect(read(t, name), images.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		format := map[string]images.Format{"jpg": images.JPEG, "png": images.PNG, "gif": images.GIF, "webp": images.WebP}[name[strings.IndexByte(name, '.')+1:]]
		orientation := 1
		if n, ok := strings.CutPrefix(name, "exif-"); ok {
			orientation = int(n[0] - '0')
		}
		size := image.Pt(120, 80)
		switch {
		case orientation > 1 || strings.HasPrefix(name, "exif") || strings.HasPrefix(name, "odd"):
			size = image.Pt(61, 43)
		case strings.HasPrefix(name, "large"):
			size = image.Pt(1200, 800)
		case strings.HasPrefix(name, "one"):
			size = image.Pt(1, 1)
		}
		if got := image.Pt(info.Width, info.Height); info.Format != format || got != size || info.Orientation != orientation || info.Frames != max(1, frames[name]) || info.Cost < int64(size.X*size.Y) {
			t.Errorf("%s: %+v", name, info)
		}
	}
}

func TestInspectAllocatesLittle(t *testing.T) {
	for _, name := range corpus(t) {
		data := read(t, name)
		if n := allocated(func() { images.Inspect(data, images.Limits{}) }); n > 40<<10 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

// The pieces that hostile files are made of.

func pngChunk(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func pngFile(w, h uint32, depth, colour byte, chunks ...[]byte) []byte {
	header := binary.BigEndian.AppendUint32(nil, w)
	header = binary.BigEndian.AppendUint32(header, h)
	b := append([]byte("\x89PNG\r\n\x1a\n"), pngChunk("IHDR", append(header, depth, colour, 0, 0, 0))...)
	b = append(b, bytes.Join(chunks, nil)...)
	return append(b, pngChunk("IEND", nil)...)
}

func gifFile(w, h uint16, frames ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint16([]byte("GIF89a"), w)
	b = binary.LittleEndian.AppendUint16(b, h)
	b = append(b, 0x80, 0, 0, 0, 0, 0, 255, 255, 255) // two colours
	b = append(b, bytes.Join(frames, nil)...)
	return append(b, 0x3b)
}

func gifFrame(w, h uint16, data ...byte) []byte {
	b := []byte{0x2c, 0, 0, 0, 0}
	b = binary.LittleEndian.AppendUint16(b, w)
	b = binary.LittleEndian.AppendUint16(b, h)
	b = append(b, 0, 2) // no table; width of the codes
	if len(data) > 0 {
		b = append(append(b, byte(len(data))), data...)
	}
	return append(b, 0)
}

// onePixel is the LZW data of one pixel: clear, colour 0, end.
var onePixel = gifFrame(1, 1, 0x44, 0x01)

// webpFile has the length in its header right; chunks may lie on their own.
func webpFile(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func webpChunk(kind string, body ...byte) []byte {
	b := append(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(body))), body...)
	return append(b, make([]byte, len(body)&1)...)
}

func vp8x(flags byte, w, h int) []byte {
	w, h = w-1, h-1
	return webpChunk("VP8X", flags, 0, 0, 0, byte(w), byte(w>>8), byte(w>>16), byte(h), byte(h>>8), byte(h>>16))
}

func vp8(w, h int) []byte {
	return webpChunk("VP8 ", 0x10, 0, 0, 0x9d, 1, 0x2a, byte(w), byte(w>>8), byte(h), byte(h>>8), 0, 0, 0, 0)
}

func vp8l(w, h int, more ...byte) []byte {
	bits := uint32(w-1) | uint32(h-1)<<14
	return webpChunk("VP8L", append(binary.LittleEndian.AppendUint32([]byte{0x2f}, bits), more...)...)
}

func jpegSegment(marker byte, body ...byte) []byte {
	n := len(body) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, body...)
}

func jpegFile(w, h int, sof byte, more ...[]byte) []byte {
	b := append([]byte{0xff, 0xd8}, jpegSegment(0xe0, []byte("JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")...)...)
	b = append(b, jpegSegment(sof, 8, byte(h>>8), byte(h), byte(w>>8), byte(w), 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0)...)
	b = append(b, bytes.Join(more, nil)...)
	return append(b, 0xff, 0xd9)
}

// oneScan is the header of a scan of three components.
var oneScan = jpegSegment(0xda, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0)

// TestDecodingCost: what each way to store pixels takes, in bytes.
func TestDecodingCost(t *testing.T) {
	const pixels, blocks = 120 * 80, 128 * 80 // 120 is no multiple of 16
	for name, want := range map[string]int64{
		"sampling-444.jpg":       3 * pixels,
		"sampling-422.jpg":       2 * blocks,
		"sampling-420.jpg":       blocks * 3 / 2,
		"grey.jpg":               pixels,
		"progressive.jpg":        5 * blocks * 3 / 2,
		"progressive-444.jpg":    5 * 3 * pixels,
		"grey-progressive.jpg":   5 * pixels,
		"rgb.jpg":                (3 + 4) * pixels,
		"cmyk.jpg":               (4 + 4) * pixels,
		"rgb8.png":               4 * pixels,
		"rgb16.png":              8 * pixels,
		"rgba16.png":             8 * pixels,
		"grey1.png":              pixels,
		"grey16.png":             2 * pixels,
		"grey-alpha.png":         4 * pixels,
		"palette4.png":           pixels,
		"interlaced-palette.png": 2 * pixels,
		"interlaced-rgba16.png":  16 * pixels,
		"still.gif":              2 * pixels, // interlaced too
		"interlaced.gif":         2 * pixels,
		"offset.gif":             61*43 + 4*pixels,
	} {
		info, err := images.Inspect(read(t, name), images.Limits{})
		if err != nil || info.Cost != want {
			t.Errorf("%s: %d %v, want %d", name, info.Cost, err, want)
		}
	}
	adobe := slices.Insert(read(t, "sampling-444.jpg"), 2, jpegSegment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")...)...)
	if info, err := images.Inspect(adobe, images.Limits{}); err != nil || info.Cost != (3+4)*pixels {
		t.Errorf("RGB as Adobe says: %d %v", info.Cost, err)
	}
	grey := pngFile(10, 10, 8, 0, pngChunk("tRNS", []byte{0, 7}), pngChunk("IDAT", deflate(t, 110)))
	if info, err := images.Inspect(grey, images.Limits{}); err != nil || info.Cost != 400 {
		t.Errorf("grey with a transparent value: %d %v", info.Cost, err)
	}
}
