package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// message makes the body of a message of frames that fn appends.
func message(frames int, fn func(dst []byte) []byte) []byte { return fn(AppendList(nil, frames)) }

// frameOf reads a message of one frame.
func frameOf(p []byte) (*Frame, error) {
	r := NewReader(p)
	if r.Frames() != 1 {
		return nil, errors.New("not one frame")
	}
	f := new(Frame)
	if err := r.Frame(f); err != nil {
		return nil, err
	}
	if r.Rest() > 0 {
		return nil, errors.New("bytes are left")
	}
	return f, nil
}

func pairs(dst []byte, list ...string) []byte {
	dst = AppendList(dst, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		dst = AppendBytes(AppendBytes(AppendTuple(dst, 2), list[i]), list[i+1])
	}
	return dst
}

func TestFrames(t *testing.T) {
	head := func(dst []byte, fields int, kind int64) []byte {
		return AppendInt(AppendInt(AppendTuple(dst, fields), kind), 7)
	}
	for name, c := range map[string]struct {
		fn   func(dst []byte) []byte
		want Frame
	}{
		"response": {func(dst []byte) []byte {
			return AppendBytes(pairs(AppendInt(head(dst, 5, Response), 200), "Content-Type", "a", "x", "\xff"), "body")
		}, Frame{Kind: Response, Stream: 7, Status: 200, Headers: []asgi.Header{{Name: "content-type", Value: "a"}, {Name: "x", Value: "\xff"}}, Data: []byte("body")}},
		"start": {func(dst []byte) []byte {
			return AppendBytes(AppendBool(pairs(AppendInt(head(dst, 6, Start), 404)), true), "")
		}, Frame{Kind: Start, Stream: 7, Status: 404, HasTrailers: true, Data: []byte{}}},
		"chunk":    {func(dst []byte) []byte { return AppendBool(AppendBytes(head(dst, 4, Chunk), "p"), true) }, Frame{Kind: Chunk, Stream: 7, Data: []byte("p"), More: true}},
		"trailers": {func(dst []byte) []byte { return AppendBool(pairs(head(dst, 4, Trailers), "a", "b"), false) }, Frame{Kind: Trailers, Stream: 7, Headers: []asgi.Header{{Name: "a", Value: "b"}}}},
		"hint":     {func(dst []byte) []byte { return AppendBytes(AppendList(head(dst, 3, Hint), 1), "l") }, Frame{Kind: Hint, Stream: 7, Links: []string{"l"}}},
		"file": {func(dst []byte) []byte {
			return AppendBool(AppendInt(AppendInt(AppendInt(head(dst, 6, File), 9), 1<<40), -1), true)
		}, Frame{Kind: File, Stream: 7, FD: 9, Offset: 1 << 40, Count: -1, More: true}},
		"path": {func(dst []byte) []byte {
			return AppendBool(AppendInt(AppendInt(AppendText(head(dst, 6, File), "/a"), 0), -1), false)
		}, Frame{Kind: File, Stream: 7, Path: "/a", Count: -1}},
		"accept":   {func(dst []byte) []byte { return pairs(AppendNone(head(dst, 4, Accept))) }, Frame{Kind: Accept, Stream: 7}},
		"protocol": {func(dst []byte) []byte { return pairs(AppendText(head(dst, 4, Accept), "chat")) }, Frame{Kind: Accept, Stream: 7, Subprotocol: "chat"}},
		"text":     {func(dst []byte) []byte { return AppendBool(AppendText(head(dst, 4, Send), "é"), false) }, Frame{Kind: Send, Stream: 7, Data: []byte("é"), IsText: true}},
		"bytes":    {func(dst []byte) []byte { return AppendBool(AppendBytes(head(dst, 4, Send), "\xff"), true) }, Frame{Kind: Send, Stream: 7, Data: []byte("\xff"), More: true}},
		"close":    {func(dst []byte) []byte { return AppendText(AppendInt(head(dst, 4, Close), 4000), "why") }, Frame{Kind: Close, Stream: 7, Code: 4000, Reason: "why"}},
		"took":     {func(dst []byte) []byte { return AppendInt(head(dst, 3, Took), 5) }, Frame{Kind: Took, Stream: 7, N: 5}},
		"end":      {func(dst []byte) []byte { return AppendText(head(dst, 3, End), strings.Repeat("é", 200)) }, Frame{Kind: End, Stream: 7, Reason: strings.Repeat("é", 200)}},
		"seen":     {func(dst []byte) []byte { return AppendInt(AppendInt(AppendTuple(dst, 2), Seen), 1<<50) }, Frame{Kind: Seen, N: 1 << 50}},
		"deny": {func(dst []byte) []byte {
			return AppendBool(AppendBytes(pairs(AppendInt(head(dst, 6, Deny), 401)), "no"), false)
		}, Frame{Kind: Deny, Stream: 7, Status: 401, Data: []byte("no")}},
		"str names": {func(dst []byte) []byte {
			dst = AppendList(AppendInt(head(dst, 5, Response), 200), 1)
			return AppendBytes(AppendText(AppendText(AppendTuple(dst, 2), "a"), "é"), "")
		}, Frame{Kind: Response, Stream: 7, Status: 200, Headers: []asgi.Header{{Name: "a", Value: "\xe9"}}, Data: []byte{}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := message(1, c.fn)
			f, err := frameOf(p)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Headers) == 0 {
				f.Headers = nil
			}
			if len(f.Links) == 0 {
				f.Links = nil
			}
			if !reflect.DeepEqual(*f, c.want) {
				t.Errorf("%+v, want %+v", *f, c.want)
			}
			for n := range p { // cut anywhere, it is refused
				if f, err := frameOf(p[:n]); err == nil {
					t.Errorf("%d of %d bytes are %+v", n, len(p), f)
				}
			}
		})
	}
}

func TestRefused(t *testing.T) {
	head := func(fields int, kind int64) []byte {
		return AppendInt(AppendInt(AppendTuple(AppendList(nil, 1), fields), kind), 7)
	}
	for name, p := range map[string][]byte{
		"an unknown kind":        head(2, 14),
		"kind 0":                 head(2, 0),
		"too few fields":         AppendBytes(head(3, Chunk), ""),
		"too many fields":        AppendInt(AppendBool(AppendBytes(head(5, Chunk), ""), true), 1),
		"another type":           AppendBool(AppendText(head(4, Chunk), "text"), true),
		"stream 0":               AppendInt(AppendInt(AppendInt(AppendTuple(AppendList(nil, 1), 3), Took), 0), 1),
		"a large stream":         AppendInt(AppendInt(AppendInt(AppendTuple(AppendList(nil, 1), 3), Took), 1<<31), 1),
		"a negative number":      AppendInt(head(3, Took), -1),
		"a status of two digits": AppendBytes(pairs(AppendInt(head(5, Response), 99)), ""),
		"a status of four":       AppendBytes(pairs(AppendInt(head(5, Response), 1000)), ""),
		"a large list":           append(AppendInt(head(5, Response), 200), AppendList(nil, 1<<30)...),
		"no pair":                AppendBytes(AppendBytes(AppendTuple(AppendList(AppendInt(head(5, Response), 200), 1), 1), "a"), ""),
		"a name beyond Latin-1":  AppendBytes(AppendText(AppendText(AppendTuple(AppendList(AppendInt(head(5, Response), 200), 1), 2), "日"), "b"), ""),
		"text that is not UTF-8": append(append(head(3, End), 'u', 1, 0, 0, 0), 0xff),
		"ASCII that is not":      append(append(head(3, End), 'z', 1), 0xff),
		"a list that is one":     AppendInt(nil, 1),
		"65 bits":                append(head(3, Took), 'l', 5, 0, 0, 0, 0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f),
		"a digit of 16 bits":     append(head(3, Took), 'l', 1, 0, 0, 0, 0xff, 0xff),
		"a reference":            append(head(3, Took), 'r', 0, 0, 0, 0),
	} {
		if f, err := frameOf(p); !errors.Is(err, ErrMessage) && (err == nil || f != nil) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 127, 1<<31 - 1, -1 << 31, 1 << 31, -1<<31 - 1, 1 << 45, math.MaxInt64, -math.MaxInt64} {
		r := NewReader(AppendInt(nil, v))
		if got := r.Int(); got != v || r.Err() != nil || r.Rest() > 0 {
			t.Errorf("%d is %d, %v", v, got, r.Err())
		}
	}
	r := NewReader(AppendFloat(AppendInt(nil, 3), 0.5))
	if a, b := r.Float(), r.Float(); a != 3 || b != 0.5 || r.Err() != nil {
		t.Error(a, b, r.Err())
	}
}

// split takes messages apart.
func split(t *testing.T, p []byte) (frames []int) {
	t.Helper()
	for len(p) > 0 {
		n := int(binary.LittleEndian.Uint32(p))
		if n > MaxMessageBytes {
			t.Fatalf("a message of %d bytes", n)
		}
		r := NewReader(p[HeadBytes : HeadBytes+n])
		frames = append(frames, r.Frames())
		p = p[HeadBytes+n:]
	}
	return frames
}

// Frames go into one message as long as it is not too large.
func TestBatch(t *testing.T) {
	var b Batch
	if p, n := b.Finish(); len(p) > 0 || n > 0 {
		t.Errorf("%d bytes of %d messages", len(p), n)
	}
	for range 2 {
		b.Credit(1, 5)
		b.Taken(2, true)
		b.Gone(3, 1006, "")
		p, n := b.Finish()
		if got := split(t, p); n != 1 || !reflect.DeepEqual(got, []int{3}) {
			t.Errorf("%v in %d messages", got, n)
		}
	}
	piece := bytes.Repeat([]byte("p"), PieceBytes)
	for range 40 {
		b.Body(1, piece, true)
	}
	p, n := b.Finish()
	if got := split(t, p); n != 5 || !reflect.DeepEqual(got, []int{8, 8, 8, 8, 8}) {
		t.Errorf("%v in %d messages", got, n)
	}
	if bytes.Count(p, piece) != 40 {
		t.Error("the pieces are not whole")
	}
}

// A frame that is too large is refused, and leaves the others as they are.
func TestBatchRefuses(t *testing.T) {
	var b Batch
	large := &asgi.Scope{QueryString: strings.Repeat("q", maxFrameBytes)}
	if b.Request(1, large, nil, false) || b.WebSocket(1, large) || b.WSGI(1, []Variable{{"Q", large.QueryString}}, nil, "") || b.Len() > 0 {
		t.Errorf("%d bytes", b.Len())
	}
	b.Credit(1, 5)
	if b.Request(1, large, nil, false) {
		t.Error("a request that is too large is taken")
	}
	b.Credit(1, 5)
	p, n := b.Finish()
	if got := split(t, p); n != 1 || !reflect.DeepEqual(got, []int{2}) {
		t.Errorf("%v in %d messages", got, n)
	}
}

// A request needs no memory but that of the batch.
func TestBatchAllocates(t *testing.T) {
	scope := &asgi.Scope{Method: "GET", Path: "/", RawPath: "/", HTTPVersion: "1.1", Scheme: "http",
		Headers: []asgi.Header{{Name: "host", Value: "example.org"}}, Client: asgi.Address{Host: "127.0.0.1", Port: 1}}
	var b Batch
	if n := testing.AllocsPerRun(100, func() {
		b.Request(1, scope, nil, false)
		b.Finish()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(message(1, func(dst []byte) []byte {
		return AppendBytes(pairs(AppendInt(AppendInt(AppendInt(AppendTuple(dst, 5), Response), 7), 200), "a", "b"), "body")
	}))
	f.Add(message(2, func(dst []byte) []byte {
		return AppendInt(AppendInt(AppendTuple(AppendInt(AppendInt(AppendTuple(dst, 2), Seen), 1), 2), Seen), 2)
	}))
	f.Fuzz(func(t *testing.T, p []byte) {
		r := NewReader(p)
		var f Frame
		total := 0
		for range r.Frames() {
			if err := r.Frame(&f); err != nil {
				if !errors.Is(err, ErrMessage) {
					t.Fatalf("the error is %v", err)
				}
				return
			}
			total += len(f.Data)
			for _, h := range f.Headers {
				total += len(h.Name) + len(h.Value)
			}
			if total > len(p) || f.Kind < Response || f.Kind > Deny {
				t.Fatalf("%d bytes of %d: %+v", total, len(p), f)
			}
		}
	})
}
