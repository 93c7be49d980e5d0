package images_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/images"
)

// exif is a directory of EXIF with n entries, the last of which is the orientation.
// The other entries point to the directory itself, as nested directories do
// (CIPA DC-008, 4.6.3), and so does the link to the next one.
func exif(n, orientation int) []byte {
	const itself = 8
	b := binary.BigEndian.AppendUint32([]byte("MM\x00\x2a"), itself)
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	for range n - 1 {
		b = append(b, 0x87, 0x69, 0, 4, 0, 0, 0, 1, 0, 0, 0, itself)
	}
	b = append(b, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, byte(orientation), 0, 0)
	return append(b, 0, 0, 0, itself)
}

// segments is data in segments of a JPEG, as many as it takes, each with a prefix.
func segments(marker byte, prefix string, data []byte) (all []byte) {
	const most = 1<<16 - 1 - 2
	for len(data) > 0 {
		n := min(len(data), most-len(prefix))
		all = append(all, jpegSegment(marker, append([]byte(prefix), data[:n]...)...)...)
		data = data[n:]
	}
	return all
}

// TestMetadata: what a file says besides its pixels is looked over, however deep,
// wide and long it is. Of EXIF one directory is read; nothing else is followed,
// inflated or kept.
func TestMetadata(t *testing.T) {
	const (
		exifPrefix  = "Exif\x00\x00"
		fullSegment = (1<<16 - 1 - 2 - len(exifPrefix) - 14) / 12 // entries
		megabytes   = 18 << 20
	)
	inJPEG := func(more []byte) []byte { return splice(read(t, "restarts.jpg"), 2, string(more), 1) }
	inPNG := func(chunks ...[]byte) []byte {
		return splice(read(t, "rgb8.png"), 8+12+13, string(bytes.Join(chunks, nil)), 1)
	}
	inWebP := func(kind string, data []byte) []byte {
		return webpFile(vp8x(0, 64, 64), webpChunk(kind, data...), vp8(64, 64))
	}
	inGIF := func(n int) []byte {
		gif := read(t, "interlaced.gif")
		return splice(gif, 13+table(gif[10]), "\x21\xff"+strings.Repeat("\xff"+strings.Repeat("x", 255), n)+"\x00", 1)
	}
	bomb := deflate(t, 64<<20)
	text := func(n int) []byte { return append([]byte("Comment\x00"), bytes.Repeat([]byte("x"), n)...) }
	for name, c := range map[string]struct {
		data        []byte
		orientation int
	}{
		"JPEG, a directory that fills its segment": {inJPEG(jpegSegment(0xe1, append([]byte(exifPrefix), exif(fullSegment, 6)...)...)), 6},
		"JPEG, a directory that is cut off":        {inJPEG(jpegSegment(0xe1, append([]byte(exifPrefix), exif(65535, 6)[:60_000]...)...)), 1},
		"JPEG, many directories: the first counts": {inJPEG(bytes.Repeat(jpegSegment(0xe1, append([]byte(exifPrefix), exif(fullSegment, 1)...)...), 280)), 1},
		"JPEG, a profile in many segments":         {inJPEG(segments(0xe2, "ICC_PROFILE\x00\x01\xff", make([]byte, megabytes))), 1},
		"JPEG, long XMP":                           {inJPEG(segments(0xe1, "http://ns.adobe.com/xap/1.0/\x00", make([]byte, megabytes))), 1},
		"JPEG, long comments":                      {inJPEG(segments(0xfe, "", bytes.Repeat([]byte("x"), megabytes))), 1},
		"PNG, a directory of 65535 entries":        {inPNG(pngChunk("eXIf", exif(65535, 8))), 8},
		"PNG, a long text":                         {inPNG(pngChunk("tEXt", text(megabytes))), 1},
		"PNG, many texts":                          {inPNG(bytes.Repeat(pngChunk("tEXt", text(100)), 100_000)), 1},
		"PNG, a text that inflates to much":        {inPNG(pngChunk("zTXt", append([]byte("Comment\x00\x00"), bomb...))), 1},
		"PNG, a profile that inflates to much":     {inPNG(pngChunk("iCCP", append([]byte("Profile\x00\x00"), bomb...))), 1},
		"PNG, international text that inflates":    {inPNG(pngChunk("iTXt", append([]byte("Comment\x00\x01\x00\x00\x00"), bomb...))), 1},
		"PNG, chunks before the palette": {splice(read(t, "palette8.png"), 8+12+13,
			string(bytes.Repeat(pngChunk("abCd", nil), 100_000)), 1), 1},
		"PNG, empty chunks of pixels": {bytes.Replace(read(t, "rgb8.png"), pngChunk("IEND", nil),
			append(bytes.Repeat(pngChunk("IDAT", nil), 100_000), pngChunk("IEND", nil)...), 1), 1},
		"PNG, chunks of pixels behind the last": {bytes.Replace(read(t, "rgb8.png"), pngChunk("IEND", nil),
			append(append(pngChunk("tEXt", nil), bytes.Repeat(pngChunk("IDAT", []byte("x")), 100_000)...), pngChunk("IEND", nil)...), 1), 1},
		"PNG, pixels in chunks of one byte":    {inOneByte(t, read(t, "rgb8.png")), 1},
		"GIF, long extensions of applications": {inGIF(70_000), 1},
		"WebP, a long profile":                 {inWebP("ICCP", make([]byte, megabytes)), 1},
		"WebP, long XMP":                       {inWebP("XMP ", make([]byte, megabytes)), 1},
		"WebP, a directory of 65535 entries":   {inWebP("EXIF", exif(65535, 3)), 3},
	} {
		t.Run(name, func(t *testing.T) {
			var info images.Info
			var err error
			took := allocated(func() { info, err = images.Inspect(c.data, images.Limits{}) })
			if err != nil || info.Orientation != c.orientation {
				t.Errorf("%+v, %v", info, err)
			}
			if took > 64<<10 {
				t.Errorf("%d bytes for a look at %d", took, len(c.data))
			}
			if !strings.HasPrefix(name, "WebP") { // that has no pixels
				within(t, name, c.data, images.Request{Width: 10})
			}
		})
	}
}

// inOneByte cuts the pixels of a PNG into chunks of one byte.
func inOneByte(t *testing.T, data []byte) []byte {
	t.Helper()
	at := bytes.Index(data, []byte("IDAT")) - 4
	n := int(binary.BigEndian.Uint32(data[at:]))
	out := bytes.Clone(data[:at])
	for _, b := range data[at+8 : at+8+n] {
		out = append(out, pngChunk("IDAT", []byte{b})...)
	}
	return append(out, data[at+12+n:]...)
}

// TestJoinedPixels: chunks of pixels are joined for the decoder, and what is wrong with
// one of them is found as before.
func TestJoinedPixels(t *testing.T) {
	whole := inOneByte(t, read(t, "rgb8.png"))
	first := bytes.Index(whole, []byte("IDAT")) + 4
	for name, change := range map[string]func(data []byte) []byte{
		"a wrong checksum": func(data []byte) []byte { data[first+1] ^= 1; return data },
		"a wrong byte":     func(data []byte) []byte { data[first] ^= 1; return data },
		"another chunk between": func(data []byte) []byte {
			return splice(data, first+5, string(pngChunk("tEXt", nil)), 1)
		},
		"cut off in the pixels":     func(data []byte) []byte { return data[:first+1000] },
		"cut off in a checksum":     func(data []byte) []byte { return data[:len(data)-12-1] },
		"a length beyond the file":  func(data []byte) []byte { data[first-8] = 0x7f; return data },
		"a length beyond all files": func(data []byte) []byte { data[first-8] = 0xff; return data },
		"a palette behind them": func(data []byte) []byte {
			return splice(data, len(data)-12, string(pngChunk("PLTE", make([]byte, 3))), 1)
		},
	} {
		data := change(bytes.Clone(whole))
		took := allocated(func() {
			_, err := images.Transform(context.Background(), data, images.Request{Width: 10}, images.Limits{}, nil)
			if images.StatusOf(err) != 422 {
				t.Errorf("%s: %v", name, err)
			}
		})
		if took > 1<<20 {
			t.Errorf("%s: %d bytes", name, took)
		}
	}
}
