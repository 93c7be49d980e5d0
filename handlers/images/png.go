package images

import (
	"encoding/binary"
	"errors"
	"image"
)

// walkPNG reads the chunks of a PNG. Each is a length of 4 bytes, a type of 4,
// the data, and a checksum of 4.
//
// https://www.w3.org/TR/png-3/#5Chunk-layout
func walkPNG(data []byte, left *parts) (Info, error) {
	const overhead = 12
	info := Info{Frames: 1}
	var header pngHeader
	var compressed int64
	frames, transparency, seen := 0, false, false
	rest := data[len(pngMagic):]
	for len(rest) >= overhead {
		if err := left.take(1); err != nil {
			return Info{}, err
		}
		n := binary.BigEndian.Uint32(rest)
		kind := string(rest[4:8])
		if uint64(n) > uint64(len(rest)-overhead) {
			break // the decoder says what it misses
		}
		body := rest[8 : 8+n]
		rest = rest[overhead+n:]
		switch kind {
		case "IHDR":
			if seen || n != 13 {
				return Info{}, damaged(PNG, errors.New("header chunk"))
			}
			header, seen = parsePNGHeader(body), true
		case "tRNS":
			transparency = true
		case "IDAT":
			compressed += int64(n)
		case "fcTL": // https://www.w3.org/TR/png-3/#fcTL-chunk
			frames++
			if n >= 12 {
				w, h := binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:])
				info.framesPix += int64(min(w, 1<<24)) * int64(min(h, 1<<24))
				info.framesPix = min(info.framesPix, 1<<50)
			}
		case "eXIf":
			if info.Orientation == 0 {
				info.Orientation = exifOrientation(body)
			}
		case "IEND":
			rest = nil
		}
	}
	if !seen {
		return Info{}, damaged(PNG, errors.New("no header chunk"))
	}
	info.stored = header.size
	info.alpha = transparency || header.colour&4 != 0
	info.Cost = header.cost(transparency)
	info.Frames = max(1, frames)
	info.framesPix = max(info.framesPix, int64(header.size.X)*int64(header.size.Y))
	if compressed*maxDeflate < header.rawSize() {
		return Info{}, damaged(PNG, errCutShort)
	}
	return info, nil
}

// maxDeflate is the most bytes that a byte of a deflate stream stands for: two
// bits for a match of 258.
const maxDeflate = 1032

// pngHeader is the IHDR chunk: width 4 bytes, height 4, bit depth 1, colour type
// 1, compression 1, filter 1, interlace 1.
type pngHeader struct {
	size       image.Point
	depth      int64
	colour     byte // bit 0 palette, bit 1 colour, bit 2 alpha
	interlaced bool
}

func parsePNGHeader(b []byte) pngHeader {
	return pngHeader{
		size:       image.Pt(int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:]))),
		depth:      int64(b[8]),
		colour:     b[9],
		interlaced: b[12] != 0,
	}
}

// rawSize returns the bytes of the pixels before compression. An interlaced
// picture has a few more.
func (h pngHeader) rawSize() int64 {
	channels := map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[h.colour]
	return int64(h.size.Y) * ((int64(h.size.X)*channels*h.depth + 7) / 8)
}

// cost counts what image/png decodes into: a byte a pixel for a palette or grey,
// four for colour or anything transparent, twice that at 16 bits; and as much
// again for the passes of an interlaced picture.
func (h pngHeader) cost(transparency bool) int64 {
	perPixel := int64(4)
	if h.colour == 3 || h.colour == 0 && !transparency {
		perPixel = 1
	}
	if h.depth == 16 {
		perPixel *= 2
	}
	cost := perPixel * int64(h.size.X) * int64(h.size.Y)
	if h.interlaced {
		cost *= 2
	}
	return cost
}
