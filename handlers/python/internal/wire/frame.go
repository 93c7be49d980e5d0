package wire

import (
	"math"

	"github.com/gale-server/gale/asgi"
)

// Frame is one frame of a worker. Which fields are set depends on Kind. Data, Links and
// the texts lie in the message, the strings do not.
type Frame struct {
	Kind    int
	Stream  uint32
	Status  int
	Headers []asgi.Header
	Data    []byte
	IsText  bool // Data is a str
	More    bool
	// HasTrailers says that trailers follow the body.
	HasTrailers bool
	Code        int
	Reason      string
	N           int64 // bytes of a credit, or messages that were seen
	Links       []string
	Path        string // of a file; empty if FD is one
	FD          int
	Offset      int64
	Count       int64
	Subprotocol string
}

// Frames reads the beginning of a message: how many frames it has.
func (r *Reader) Frames() int { return r.Items() }

// Frame reads the next frame into f, whose memory for headers is used again.
func (r *Reader) Frame(f *Frame) error {
	fields := r.Tuple()
	headers, links := f.Headers[:0], f.Links[:0]
	kind := r.Int()
	if kind < Response || kind > Deny {
		r.fail(errUnknown)
	}
	*f = Frame{Kind: int(kind), Headers: headers, Links: links}
	want := [...]int{Response: 5, Start: 6, Chunk: 4, Trailers: 4, Hint: 3, File: 6, Accept: 4, Send: 4, Close: 4, Took: 3, End: 3, Seen: 2, Deny: 6}
	switch {
	case r.err != nil:
		return r.err
	case fields != want[f.Kind]:
		r.fail(errFields)
		return r.err
	case f.Kind == Seen:
		f.N = r.Within(0, math.MaxInt64)
		return r.err
	}
	f.Stream = uint32(r.Within(1, math.MaxInt32))
	switch f.Kind {
	case Response:
		f.Status = r.status()
		f.Headers = r.headers(headers)
		f.Data = r.Bytes()
	case Start:
		f.Status = r.status()
		f.Headers = r.headers(headers)
		f.HasTrailers = r.Bool()
		f.Data = r.Bytes()
	case Chunk:
		f.Data = r.Bytes()
		f.More = r.Bool()
	case Trailers:
		f.Headers = r.headers(headers)
		f.More = r.Bool()
	case Hint:
		f.Links = r.links(links)
	case File:
		r.file(f)
	case Accept:
		if !r.None() {
			f.Subprotocol = string(r.Text())
		}
		f.Headers = r.headers(headers)
	case Send:
		f.Data, f.IsText = r.Data()
		f.More = r.Bool()
	case Close:
		f.Code = int(r.Within(0, 0xffff))
		f.Reason = string(r.Text())
	case Took:
		f.N = r.Within(0, math.MaxInt32)
	case End:
		f.Reason = string(r.Text())
	case Deny:
		f.Status = r.status()
		f.Headers = r.headers(headers)
		f.Data = r.Bytes()
		f.More = r.Bool()
	}
	return r.err
}

// status reads a status code of three digits.
func (r *Reader) status() int { return int(r.Within(100, 999)) }

// headers reads a list of pairs. Their text is one string.
func (r *Reader) headers(list []asgi.Header) []asgi.Header {
	n := r.Items()
	for range n {
		if r.Items() != 2 {
			r.fail(errFields)
		}
		name, value := r.Octets(), r.Octets()
		if r.err != nil {
			return nil
		}
		list = append(list, asgi.Header{Name: lower(name), Value: string(value)})
	}
	return list
}

// lower is a name in lower case, as names in ASGI are: some applications write them
// otherwise.
func lower(name []byte) string {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			p := make([]byte, len(name))
			for i, c := range name {
				if 'A' <= c && c <= 'Z' {
					c += 'a' - 'A'
				}
				p[i] = c
			}
			return string(p)
		}
	}
	return common(name)
}

// common is a string of name, without memory of its own if it is one that most responses
// have.
func common(name []byte) string {
	switch string(name) {
	case "content-type":
		return "content-type"
	case "content-length":
		return "content-length"
	case "cache-control":
		return "cache-control"
	case "vary":
		return "vary"
	case "set-cookie":
		return "set-cookie"
	case "location":
		return "location"
	}
	return string(name)
}

func (r *Reader) links(list []string) []string {
	n := r.Items()
	for range n {
		list = append(list, string(r.Octets()))
	}
	return list
}

func (r *Reader) file(f *Frame) {
	if code := r.peek(); code == codeInt || code == codeLong {
		f.FD = int(r.Within(0, math.MaxInt32))
	} else if f.Path = string(r.Text()); f.Path == "" {
		r.fail(errType)
	}
	f.Offset = r.Within(0, math.MaxInt64)
	f.Count = r.Within(-1, math.MaxInt64)
	f.More = r.Bool()
}

// Clone returns a copy of f that does not lie in the message.
func (f *Frame) Clone() *Frame {
	c := *f
	c.Headers = append([]asgi.Header(nil), f.Headers...)
	c.Links = append([]string(nil), f.Links...)
	c.Data = append([]byte(nil), f.Data...)
	return &c
}
