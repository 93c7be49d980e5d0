package images

import (
	"bytes"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/webp"
)

// Info is what Inspect learns of a picture without decoding a pixel. Safe for
// concurrent use.
type Info struct {
	Format        Format
	Width, Height int // in pixels, upright: as a viewer shows it
	Orientation   int // EXIF's, 1 to 8; 1 is upright as stored
	Frames        int // of an animation; 1 for any other picture

	// Cost is the memory in bytes that decoding takes at its peak, as estimated
	// from the headers: the decoder's buffers and the pixels in their stored
	// depth. It is the weight by which a queue should admit the job; Plan.Cost
	// adds what the rest of the job takes.
	Cost int64

	stored    image.Point // size as stored
	lossless  bool        // of WebP
	alpha     bool        // may have transparent parts
	scans     int         // of a JPEG
	framesPix int64       // sum of the frames' pixels
	leastSize int64       // no file of these dimensions has fewer bytes
}

var (
	jpegMagic = []byte("\xff\xd8\xff")
	pngMagic  = []byte("\x89PNG\r\n\x1a\n")
	gif87     = []byte("GIF87a")
	gif89     = []byte("GIF89a")
)

// sniff tells the format by a file's first bytes. The name and the Content-Type
// that came with it are the client's claims and play no part.
func sniff(data []byte) (Format, bool) {
	switch {
	case bytes.HasPrefix(data, jpegMagic):
		return JPEG, true
	case bytes.HasPrefix(data, pngMagic):
		return PNG, true
	case bytes.HasPrefix(data, gif87), bytes.HasPrefix(data, gif89):
		return GIF, true
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return WebP, true
	}
	return Same, false
}

// Inspect checks a picture against the limits, in the order in which the checks
// cost: bytes, format, parts, the header's dimensions, the memory that decoding
// would take, scans and frames. It decodes no pixels: it takes microseconds, some
// milliseconds for a file of many megabytes or with as many parts as Limits.MaxParts
// allows, and allocates some ten KiB, and for a WebP 8 bytes a part. It may be called on
// a loop. Data is not retained. The error is an *Error.
func Inspect(data []byte, limits Limits) (Info, error) {
	limits = limits.withDefaults()
	if int64(len(data)) > limits.MaxBytes {
		return Info{}, fail(SizeFault, "the file has %d bytes, the limit is %d", len(data), limits.MaxBytes)
	}
	if len(data) == 0 {
		return Info{}, fail(FormatFault, "the file is empty")
	}
	format, ok := sniff(data)
	if !ok {
		return Info{}, fail(FormatFault, "the file is no JPEG, PNG, GIF or WebP picture")
	}
	if !limits.allows(format) {
		return Info{}, fail(FormatFault, "pictures in %s are not accepted", format)
	}
	// The decoders read any number of parts up to the header, so these are counted
	// first.
	left := parts(limits.MaxParts)
	info, broken := walk(format, data, &left)
	if left < 0 {
		return Info{}, fail(PictureFault, "the picture has more than %d parts", limits.MaxParts)
	}
	config, err := decodeConfig(format, data)
	if err != nil {
		return Info{}, refused(format, err)
	}
	if err := checkSize(config.Width, config.Height, limits); err != nil {
		return Info{}, err
	}
	if broken != nil {
		return Info{}, broken
	}
	if info.stored != (image.Point{config.Width, config.Height}) {
		return Info{}, fail(PictureFault, "the %s picture contradicts itself on its size", format)
	}
	info.Format = format
	if info.Orientation == 0 {
		info.Orientation = 1
	}
	info.Width, info.Height = info.stored.X, info.stored.Y
	if orientations[info.Orientation].transpose {
		info.Width, info.Height = info.Height, info.Width
	}
	return info, info.check(int64(len(data)), limits)
}

func checkSize(w, h int, limits Limits) error {
	switch {
	case w <= 0 || h <= 0:
		return fail(PictureFault, "the picture has no pixels")
	case w > limits.MaxSide || h > limits.MaxSide:
		return fail(PictureFault, "the picture is %dx%d pixels, the limit is %d a side", w, h, limits.MaxSide)
	case int64(w)*int64(h) > limits.MaxPixels:
		return fail(PictureFault, "the picture has %d pixels, the limit is %d", int64(w)*int64(h), limits.MaxPixels)
	}
	return nil
}

func (info *Info) check(size int64, limits Limits) error {
	switch {
	case info.Cost > limits.MaxDecodedBytes:
		return fail(PictureFault, "the picture may take %d bytes of memory, the limit is %d", info.Cost, limits.MaxDecodedBytes)
	case info.scans > limits.MaxScans:
		return fail(PictureFault, "the picture has %d scans, the limit is %d", info.scans, limits.MaxScans)
	case info.Frames > limits.MaxFrames:
		return fail(PictureFault, "the picture has %d frames, the limit is %d", info.Frames, limits.MaxFrames)
	case info.framesPix > limits.MaxFramePixels:
		return fail(PictureFault, "the picture has %d pixels in all its frames, the limit is %d", info.framesPix, limits.MaxFramePixels)
	case size < info.leastSize:
		return damaged(info.Format, errors.New("too short for its dimensions"))
	}
	return nil
}

func decodeConfig(f Format, data []byte) (image.Config, error) {
	r := bytes.NewReader(data)
	switch f {
	case JPEG:
		return jpeg.DecodeConfig(r)
	case PNG:
		return png.DecodeConfig(newPNGReader(data))
	case GIF:
		return gif.DecodeConfig(r)
	default:
		return webp.DecodeConfig(r)
	}
}

// errParts ends a walk: Inspect says why.
var errParts = errors.New("too many parts")

// parts is how many more parts of a file may be looked at; negative: too many were.
type parts int

// take counts n of them.
func (p *parts) take(n int) error {
	if *p -= parts(n); *p < 0 {
		return errParts
	}
	return nil
}

// walk reads the structure of a file: its chunks, segments or blocks, never
// what is compressed in them.
func walk(f Format, data []byte, left *parts) (Info, error) {
	switch f {
	case JPEG:
		return walkJPEG(data, left)
	case PNG:
		return walkPNG(data, left)
	case GIF:
		return walkGIF(data, left)
	default:
		return walkWebP(data, left)
	}
}

// refused turns what a decoder said into an Error: what it does not know is a
// matter of the format, anything else of the picture.
func refused(f Format, err error) error {
	var j jpeg.UnsupportedError
	var p png.UnsupportedError
	if errors.As(err, &j) || errors.As(err, &p) && p != "dimension overflow" {
		return &Error{Fault: FormatFault, Reason: "the picture uses a feature of " + f.String() + " that is not supported", Err: err}
	}
	return damaged(f, err)
}
