package images_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/images"
)

// manyParts returns a picture with n parts, most of them the smallest there are.
var manyParts = map[string]func(t *testing.T, n int) []byte{
	"JPEG, empty segments": func(t *testing.T, n int) []byte {
		jpeg := read(t, "exif-1.jpg")
		return splice(jpeg, 2, "\xff\xfe\x00\x02", n)
	},
	"JPEG, fill bytes": func(t *testing.T, n int) []byte {
		return splice(read(t, "exif-1.jpg"), 2, "\xff", n)
	},
	"JPEG, bytes astray": func(t *testing.T, n int) []byte {
		return splice(read(t, "exif-1.jpg"), 2, "\xff\xfe\x00\x02"+strings.Repeat("\x01", n), 1)
	},
	"JPEG, marks in a scan": func(t *testing.T, n int) []byte {
		jpeg := read(t, "exif-1.jpg")
		return splice(jpeg, len(jpeg)-2, "\xff\x00", n)
	},
	"PNG, empty chunks": func(t *testing.T, n int) []byte {
		chunk := binary.BigEndian.AppendUint32([]byte("\x00\x00\x00\x00tEXt"), crc32.ChecksumIEEE([]byte("tEXt")))
		return splice(read(t, "grey8.png"), 8+12+13, string(chunk), n)
	},
	"GIF, blocks of one byte": func(t *testing.T, n int) []byte {
		gif := read(t, "interlaced.gif")
		return splice(gif, 13+table(gif[10]), "\x21\xfe"+strings.Repeat("\x01x", n)+"\x00", 1)
	},
	"GIF, empty extensions": func(t *testing.T, n int) []byte {
		gif := read(t, "interlaced.gif")
		return splice(gif, 13+table(gif[10]), "\x21\xfe\x00", n)
	},
	"WebP, empty chunks": func(t *testing.T, n int) []byte {
		webp := splice(read(t, "lossy.webp"), 12, "NONE\x00\x00\x00\x00", n)
		binary.LittleEndian.PutUint32(webp[4:], uint32(len(webp)-8))
		return webp
	},
}

func table(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

func splice(data []byte, at int, part string, n int) []byte {
	return bytes.Join([][]byte{data[:at], bytes.Repeat([]byte(part), n), data[at:]}, nil)
}

// TestManyParts counts the parts of files: what has more than the limit is refused,
// however many more there are.
func TestManyParts(t *testing.T) {
	for name, file := range manyParts {
		t.Run(name, func(t *testing.T) {
			limits := images.Limits{MaxParts: 2000}
			if _, err := images.Inspect(file(t, 500), limits); err != nil {
				t.Errorf("500 parts: %v", err)
			}
			for _, n := range []int{2001, 200_000} {
				_, err := images.Inspect(file(t, n), limits)
				var e *images.Error
				if !errors.As(err, &e) || e.Fault != images.PictureFault || !strings.Contains(e.Error(), "more than 2000 parts") {
					t.Errorf("%d parts: %v", n, err)
				}
			}
		})
	}
	if _, err := images.Inspect(manyParts["JPEG, empty segments"](t, 1<<17+1), images.Limits{}); err == nil {
		t.Error("there is no limit by default")
	}
}
