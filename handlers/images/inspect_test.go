package images_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
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
