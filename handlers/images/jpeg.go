package images

import (
	"bytes"
	"errors"
	"image"
)

var errCutShort = errors.New("cut short")

// walkJPEG reads the segments of a JPEG up to its end, and counts its scans.
// It takes the same bytes for markers as image/jpeg does: whatever that decoder
// acts on has been seen here.
//
// https://www.w3.org/Graphics/JPEG/itu-t81.pdf, annex B
func walkJPEG(data []byte, left *parts) (Info, error) {
	const (
		sof0, sof2 = 0xc0, 0xc2
		rst0, rst7 = 0xd0, 0xd7
		eoi, sos   = 0xd9, 0xda
		app1       = 0xe1
		app14      = 0xee
	)
	info := Info{Frames: 1}
	var frame jpegFrame
	adobeRGB := false // the Adobe segment says: no YCbCr
	for at := 2; ; {
		i := bytes.IndexByte(data[at:], 0xff)
		if i < 0 || at+i+1 >= len(data) {
			break // no end is no error here: the decoder says what it misses
		}
		looked := 1
		if frame.planes == nil {
			looked += i // decoders go through what is astray before a header byte by byte
		}
		if err := left.take(looked); err != nil {
			return Info{}, err
		}
		at += i + 1
		marker := data[at]
		if marker == 0xff {
			continue // a fill byte: what follows it is looked at next
		}
		at++
		if marker == 0 || rst0 <= marker && marker <= rst7 {
			continue
		}
		if marker == eoi {
			break
		}
		segment, err := jpegSegment(data[at:])
		if err != nil {
			return Info{}, damaged(JPEG, err)
		}
		switch {
		case sof0 <= marker && marker <= sof2:
			if frame.planes != nil {
				return Info{}, damaged(JPEG, errors.New("two frame headers"))
			}
			if frame, err = parseFrame(segment); err != nil {
				return Info{}, damaged(JPEG, err)
			}
			frame.progressive = marker == sof2
		case marker == sos:
			info.scans++
		case marker == app1 && info.Orientation == 0:
			if tiff, ok := bytes.CutPrefix(segment, exifHeader); ok {
				info.Orientation = exifOrientation(tiff)
			}
		case marker == app14 && len(segment) >= 12 && string(segment[:5]) == "Adobe":
			adobeRGB = segment[11] == 0
		}
		at += 2 + len(segment)
	}
	if frame.planes == nil {
		return Info{}, damaged(JPEG, errors.New("no frame header"))
	}
	info.stored = frame.size
	info.framesPix = int64(frame.size.X) * int64(frame.size.Y)
	frame.joined = frame.joined || adobeRGB || len(frame.planes) == 4
	info.Cost = frame.cost()
	info.leastSize = frame.leastSize()
	return info, nil
}

// jpegSegment returns what follows the two bytes of a segment's length.
func jpegSegment(b []byte) ([]byte, error) {
	if len(b) < 2 {
		return nil, errCutShort
	}
	n := int(b[0])<<8 | int(b[1])
	if n < 2 {
		return nil, errors.New("segment too short")
	}
	if n > len(b) {
		return nil, errCutShort
	}
	return b[2:n], nil
}

// jpegFrame is what a frame header (SOF0 to SOF2) says.
//
//	precision   1 byte
//	height      2
//	width       2
//	components  1
//	for each:   identifier 1, sampling factors 4+4 bits, quantisation table 1
type jpegFrame struct {
	size        image.Point
	planes      []int64 // samples of each component, in whole blocks
	progressive bool
	joined      bool // CMYK or RGB: the planes are joined to pixels
}

func parseFrame(b []byte) (jpegFrame, error) {
	if len(b) < 6 || len(b) != 6+3*int(b[5]) || b[5] == 0 || b[5] > 4 {
		return jpegFrame{}, errors.New("frame header: wrong length")
	}
	f := jpegFrame{size: image.Pt(int(b[3])<<8|int(b[4]), int(b[1])<<8|int(b[2]))}
	n := int(b[5])
	sampling := func(i int) (h, v int64) {
		if n == 1 {
			return 1, 1 // A.2.2: one component is never interleaved
		}
		hv := b[7+3*i]
		return int64(hv >> 4), int64(hv & 15)
	}
	h0, v0 := sampling(0)
	if h0 == 0 || v0 == 0 {
		return jpegFrame{}, errors.New("frame header: no samples")
	}
	across := (int64(f.size.X) + 8*h0 - 1) / (8 * h0)
	down := (int64(f.size.Y) + 8*v0 - 1) / (8 * v0)
	f.joined = n == 3 && b[6] == 'R' && b[9] == 'G' && b[12] == 'B'
	for i := range n {
		h, v := sampling(i)
		f.planes = append(f.planes, across*down*64*h*v)
	}
	return f, nil
}

// cost counts a byte a sample; four more a sample where a progressive picture's
// coefficients are kept to its end; and four a pixel where the planes are
// joined, as CMYK and RGB are.
func (f jpegFrame) cost() int64 {
	samples := int64(0)
	for _, n := range f.planes {
		samples += n
	}
	cost := samples
	if f.progressive {
		cost += 4 * samples
	}
	if f.joined {
		cost += 4 * int64(f.size.X) * int64(f.size.Y)
	}
	return cost
}

// leastSize: each block of the first component takes two bits at least (its DC
// difference and the end of the block), in a progressive picture one.
func (f jpegFrame) leastSize() int64 {
	blocks := f.planes[0] / 64
	if f.progressive {
		return blocks / 8
	}
	return blocks / 4
}
