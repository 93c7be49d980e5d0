package images

import (
	"bytes"
	"encoding/binary"
)

var exifHeader = []byte("Exif\x00\x00")

// exifOrientation returns the orientation tag of EXIF data, 1 to 8, or 1 if
// there is none that can be read. One tag is all that is ever read: no offset in
// the data is followed but that of the first directory.
//
// Layout: "II" or "MM" for the byte order, 42 in 2 bytes, the offset of the first
// directory in 4; there the number of entries in 2, and for each a tag in 2
// bytes, a type in 2, a count in 4, and a value in 4.
//
// https://www.cipa.jp/std/documents/e/DC-X008-Translation-2023-E.pdf, 4.6.2
func exifOrientation(b []byte) int {
	const (
		orientation = 0x0112
		short       = 3
		entrySize   = 12
	)
	b = bytes.TrimPrefix(b, exifHeader) // some writers put it into WebP too
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:2]) {
	case "II":
		order = binary.LittleEndian
	case "MM":
		order = binary.BigEndian
	default:
		return 1
	}
	offset := uint64(order.Uint32(b[4:]))
	if order.Uint16(b[2:]) != 42 || offset+2 > uint64(len(b)) {
		return 1
	}
	directory := b[offset:]
	n := order.Uint16(directory)
	directory = directory[2:]
	for ; n > 0 && len(directory) >= entrySize; n-- {
		if order.Uint16(directory) == orientation {
			value := int(order.Uint16(directory[8:]))
			if order.Uint16(directory[2:]) != short || value < 1 || value > 8 {
				return 1
			}
			return value
		}
		directory = directory[entrySize:]
	}
	return 1
}
