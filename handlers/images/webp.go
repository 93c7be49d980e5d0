package images

import (
	"encoding/binary"
	"errors"
	"image"
	"math"
)

// walkWebP reads the chunks of a WebP. Each is a type of 4 bytes, a length of 4,
// the data, and a byte of padding after an odd length. Unlike in the other
// formats a chunk that reaches past the end of the file is refused here, for the
// decoder takes memory for all of it before it reads.
//
// https://developers.google.com/speed/webp/docs/riff_container
func walkWebP(data []byte, left *parts) (Info, error) {
	const (
		riffHeader, chunkHeader = 12, 8

		animated, hasAlpha = 1 << 1, 1 << 4
	)
	info := Info{}
	var body, alphaBody int64 // bytes of the chunks of pixels and alpha
	frames := 0
	for rest := data[riffHeader:]; len(rest) >= chunkHeader; {
		if err := left.take(1); err != nil {
			return Info{}, err
		}
		n := binary.LittleEndian.Uint32(rest[4:])
		kind := string(rest[:4])
		rest = rest[chunkHeader:]
		if uint64(n) > uint64(len(rest)) {
			return Info{}, damaged(WebP, errCutShort)
		}
		chunk := rest[:n]
		rest = rest[min(int(n)+int(n&1), len(rest)):]
		switch {
		case kind == "VP8X" && n == 10:
			if chunk[0]&animated != 0 {
				frames++
			}
			info.alpha = chunk[0]&hasAlpha != 0
			info.stored = image.Pt(1+int24(chunk[4:]), 1+int24(chunk[7:]))
		case kind == "VP8 " && n >= 10 && body == 0:
			body = int64(n)
			size := image.Pt(int(binary.LittleEndian.Uint16(chunk[6:])&0x3fff), int(binary.LittleEndian.Uint16(chunk[8:])&0x3fff))
			if info.stored == (image.Point{}) {
				info.stored = size
			}
			if info.stored != size {
				return Info{}, damaged(WebP, errors.New("two sizes"))
			}
		case kind == "VP8L" && n >= 5 && body == 0:
			body = int64(n)
			info.lossless, info.alpha = true, true
			bits := binary.LittleEndian.Uint32(chunk[1:])
			size := image.Pt(1+int(bits&0x3fff), 1+int(bits>>14&0x3fff))
			if info.stored == (image.Point{}) {
				info.stored = size
			}
			if info.stored != size {
				return Info{}, damaged(WebP, errors.New("two sizes"))
			}
		case kind == "ALPH":
			alphaBody += int64(n)
		case kind == "ANMF":
			frames++
		case kind == "EXIF" && info.Orientation == 0:
			info.Orientation = exifOrientation(chunk)
		}
	}
	if frames > 0 {
		return Info{}, fail(FormatFault, "an animated webp is not supported")
	}
	if body == 0 {
		return Info{}, damaged(WebP, errors.New("no pixels"))
	}
	info.Frames = 1
	info.framesPix = int64(info.stored.X) * int64(info.stored.Y)
	info.Cost = webpCost(info, body, alphaBody)
	return info, nil
}

// webpCost counts, for a lossy picture, one and a half bytes a pixel in whole
// blocks of 16, what is known of each block, and the compressed bytes, which the
// decoder copies; for a layer of alpha, which is lossless, a byte a pixel more.
func webpCost(info Info, body, alphaBody int64) int64 {
	if info.lossless {
		return losslessCost(info.stored, body)
	}
	blocks := int64((info.stored.X+15)/16) * int64((info.stored.Y+15)/16)
	cost := blocks*(256*3/2+16) + body
	if info.alpha {
		cost += losslessCost(info.stored, alphaBody) + int64(info.stored.X)*int64(info.stored.Y)
	}
	return cost
}

// losslessCost counts four bytes a pixel, two while a palette is resolved, and
// less than one for tiles; and the most that tables of prefix codes may take. Each
// group of five tables, of which there may be one for 16 pixels, and no more than
// the decoder allows, takes 3 KiB, and 18 bytes for each of its symbols. Three
// bits of the file bring forth six symbols. Real pictures have some ten groups,
// and take far less than is counted here for their files of a megabyte; but a file
// of half a megabyte can be made to take it.
func losslessCost(size image.Point, body int64) int64 {
	const (
		maxGroups   = 2600
		groupBytes  = 3 << 10
		symbolBytes = 18
		symbols     = 256 + 24 + 2048 + 3*256 + 40
	)
	pixels := int64(size.X) * int64(size.Y)
	groups := min(pixels/16+1, maxGroups)
	return 7*pixels + groups*groupBytes + min(groups*symbols*symbolBytes, body*8/3*6*symbolBytes)
}

func int24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// fullRange stretches the planes of a lossy picture in place. WebP's luma goes
// from 16 to 235 and its chroma from 16 to 240, as in video, while image.YCbCr
// means JPEG's full range: without this, black comes out grey
// (https://go.dev/issue/40173).
func fullRange(decoded image.Image) {
	m, ok := decoded.(*image.YCbCr)
	if a, has := decoded.(*image.NYCbCrA); has {
		m, ok = &a.YCbCr, true
	}
	if !ok {
		return
	}
	for i, v := range m.Y {
		m.Y[i] = fullLuma[v]
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = fullChroma[m.Cb[i]], fullChroma[m.Cr[i]]
	}
}

var fullLuma, fullChroma = stretch(16, 219, 0), stretch(128, 224, 128)

// stretch maps a span of values to 255 of them, and the value at to another.
func stretch(at, span, to int) (table [256]byte) {
	for v := range table {
		far := math.Round(float64(v-at) * 255 / float64(span))
		table[v] = byte(min(max(to+int(far), 0), 255))
	}
	return table
}
