package images

import (
	"encoding/binary"
	"errors"
	"image"
)

// walkGIF reads the blocks of a GIF and counts its frames. What is compressed in
// them is skipped by the lengths of its parts.
//
// https://www.w3.org/Graphics/GIF/spec-gif89a.txt
func walkGIF(data []byte, left *parts) (Info, error) {
	const (
		extension, descriptor, trailer = 0x21, 0x2c, 0x3b

		screenSize, descriptorSize = 13, 10
	)
	if len(data) < screenSize {
		return Info{}, damaged(GIF, errCutShort)
	}
	info := Info{alpha: true}
	info.stored = image.Pt(int(binary.LittleEndian.Uint16(data[6:])), int(binary.LittleEndian.Uint16(data[8:])))
	r := blockReader(data[screenSize:])
	r.skip(colourTable(data[10]))
	for len(r) > 0 {
		if err := left.take(1); err != nil {
			return Info{}, err
		}
		switch kind := r[0]; kind {
		case extension:
			r.skip(2) // and its label
			if _, err := r.skipBlocks(left); err != nil {
				return Info{}, err
			}
		case descriptor:
			if len(r) < descriptorSize {
				return gifEnd(info)
			}
			size := image.Pt(int(binary.LittleEndian.Uint16(r[5:])), int(binary.LittleEndian.Uint16(r[7:])))
			pixels := int64(size.X) * int64(size.Y)
			interlaced := r[9]&0x40 != 0
			r.skip(descriptorSize + colourTable(r[9]) + 1) // and the width of the codes
			compressed, err := r.skipBlocks(left)
			if err != nil {
				return Info{}, err
			}
			if info.Frames++; info.Frames == 1 {
				info.Cost = gifCost(size, interlaced, info.stored)
				info.leastSize = pixels / maxLZW
				if int64(compressed) < info.leastSize {
					return Info{}, damaged(GIF, errCutShort)
				}
			}
			info.framesPix += pixels
		case trailer:
			return gifEnd(info)
		default:
			if info.Frames == 0 {
				return Info{}, damaged(GIF, errors.New("unknown block"))
			}
			return gifEnd(info) // the first frame is whole; browsers end here too
		}
	}
	return gifEnd(info)
}

func gifEnd(info Info) (Info, error) {
	if info.Frames == 0 {
		return Info{}, damaged(GIF, errors.New("no frame"))
	}
	return info, nil
}

// maxLZW is the most pixels that a byte of LZW codes stands for: a code of 12
// bits for a string of 4096.
const maxLZW = 4096 * 8 / 12

// gifCost counts a byte a pixel, one more where rows are put in order, and the
// whole screen in 32 bits if a smaller frame is laid on it.
func gifCost(frame image.Point, interlaced bool, screen image.Point) int64 {
	cost := int64(frame.X) * int64(frame.Y)
	if interlaced {
		cost *= 2
	}
	if frame != screen {
		cost += 4 * int64(screen.X) * int64(screen.Y)
	}
	return cost
}

// colourTable returns the bytes of the table that the flags announce.
func colourTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// blockReader is what is left of a file.
type blockReader []byte

func (r *blockReader) skip(n int) { *r = (*r)[min(n, len(*r)):] }

// skipBlocks skips parts of up to 255 bytes, each after its length, up to the
// empty one. It returns the bytes in them.
func (r *blockReader) skipBlocks(left *parts) (size int, err error) {
	for len(*r) > 0 {
		if err := left.take(1); err != nil {
			return 0, err
		}
		n := int((*r)[0])
		r.skip(1 + n)
		if n == 0 {
			break
		}
		size += n
	}
	return size, nil
}
