package images

import (
	"fmt"
	"slices"
)

// Format is a picture's file format. Safe for concurrent use.
type Format uint8

// The formats. All but Same and WebP can be written; all but Same can be read.
const (
	Same Format = iota // the format of the picture that came in
	JPEG
	PNG
	GIF
	WebP
)

var formats = [...]struct{ name, contentType string }{
	Same: {"same", ""},
	JPEG: {"jpeg", "image/jpeg"},
	PNG:  {"png", "image/png"},
	GIF:  {"gif", "image/gif"},
	WebP: {"webp", "image/webp"},
}

// String returns the format's name, as ParseQuery reads it.
func (f Format) String() string {
	if int(f) < len(formats) {
		return formats[f].name
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// ContentType returns the format's media type, or "" for Same.
func (f Format) ContentType() string {
	if int(f) < len(formats) {
		return formats[f].contentType
	}
	return ""
}

// Limits bounds what a picture may cost. In every field zero means the default
// and a negative value means no limit of that kind; the zero Limits is safe for
// pictures from strangers.
//
// Safe for concurrent use.
type Limits struct {
	// MaxBytes bounds the file, in bytes. Default 20 MiB: twice what a camera's
	// JPEG of 50 megapixels takes.
	MaxBytes int64

	// Formats lists what may come in. Default: JPEG, PNG, GIF and WebP. Each
	// format is a decoder that reads what strangers wrote; leave out what is not
	// needed.
	Formats []Format

	// MaxPixels bounds width times height of the picture that comes in. Default
	// 50 million: the main camera of today's telephones, and half a second of
	// decoding.
	MaxPixels int64

	// MaxSide bounds each side, in pixels, of the picture that comes in and of
	// the one that goes out. Default 16384: WebP can hold no more, and a browser
	// shows no more. It keeps the buffers of a row small.
	MaxSide int

	// MaxDecodedBytes bounds Info.Cost, the memory that decoding takes. Pixels
	// alone do not tell it: 16 bits a channel take twice, and a progressive JPEG
	// five times the memory. Default 256 MiB: 50 megapixels of 32 bits fit.
	MaxDecodedBytes int64

	// MaxScans bounds the passes over the pixels of a JPEG. A pass of a few bytes
	// may visit every block of the picture. Default 100: encoders make about 10.
	MaxScans int

	// MaxFrames bounds the frames of an animation. Only the first is decoded,
	// but the file itself is often stored, and shown to others. Default 256.
	MaxFrames int

	// MaxFramePixels bounds the sum of the frames' pixels, for the same reason.
	// Default 200 million.
	MaxFramePixels int64

	// MaxParts bounds the parts that Inspect looks at: segments, chunks and blocks,
	// and the marks in a JPEG's scans. A file made of the smallest there are would
	// take as much time as its bytes allow. Default 131,072, some milliseconds: a
	// JPEG of 20 MiB has some 85,000, for each 256th byte of a scan looks like a
	// mark.
	MaxParts int

	// MaxOutputPixels bounds width times height of the result. Default 16
	// million: more than a 4K display shows, and some seconds of scaling and
	// encoding.
	MaxOutputPixels int64

	// MaxOutputBytes bounds the result's file, in bytes. Default 32 MiB.
	MaxOutputBytes int64
}

// withDefaults returns l with each zero replaced by its default and each
// negative value by the largest one.
func (l Limits) withDefaults() Limits {
	l.MaxBytes = limit(l.MaxBytes, 20<<20)
	l.MaxPixels = limit(l.MaxPixels, 50_000_000)
	l.MaxSide = int(limit(int64(l.MaxSide), 16384))
	l.MaxDecodedBytes = limit(l.MaxDecodedBytes, 256<<20)
	l.MaxScans = int(limit(int64(l.MaxScans), 100))
	l.MaxFrames = int(limit(int64(l.MaxFrames), 256))
	l.MaxFramePixels = limit(l.MaxFramePixels, 200_000_000)
	l.MaxParts = int(limit(int64(l.MaxParts), 1<<17))
	l.MaxOutputPixels = limit(l.MaxOutputPixels, 16_000_000)
	l.MaxOutputBytes = limit(l.MaxOutputBytes, 32<<20)
	return l
}

func limit(set, standard int64) int64 {
	switch {
	case set == 0:
		return standard
	case set < 0:
		return 1<<31 - 1 // far above what fits in memory, and an int everywhere
	}
	return set
}

func (l Limits) allows(f Format) bool {
	return len(l.Formats) == 0 || slices.Contains(l.Formats, f)
}
