package load

import (
	"errors"
	"strings"
	"testing"
)

func TestInbound(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nServer: bench\r\ncontent-LENGTH:  5\r\n\r\n"
	long := string(Payload(70000))
	for _, c := range []struct {
		name     string
		parse    func([]byte) (int, part, error)
		want     string
		stream   string
		messages int64
		err      error
	}{
		{"two responses", responseHead, "hello", head + "hello" + head + "hello", 2, nil},
		{"half a response", responseHead, "hello", head + "hello" + head + "he", 1, nil},
		{"another body", responseHead, "hello", head + "hellO", 0, errReply},
		{"a body too short", responseHead, "hello!", head + "hello", 0, errReply},
		{"a body too long", responseHead, "hell", head, 0, errReply},
		{"another status", responseHead, "hello", "HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\n", 0, errAny},
		{"no length", responseHead, "hello", "HTTP/1.1 200 OK\r\n\r\n", 0, errAny},
		{"a length that is none", responseHead, "hello", "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n", 0, errAny},
		{"an endless head", responseHead, "hello", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxHead), 0, errAny},
		{"two frames", frameHead, "hello", "\x82\x05hello\x82\x05hello", 2, nil},
		{"fragments about a ping", frameHead, "hello", "\x02\x02he\x89\x04ping\x80\x03llo", 1, nil},
		{"an empty fragment", frameHead, "hello", "\x02\x05hello\x80\x00", 1, nil},
		{"16 bits of length", frameHead, long[:300], "\x82\x7e\x01\x2c" + long[:300], 1, nil},
		{"64 bits of length", frameHead, long, "\x82\x7f\x00\x00\x00\x00\x00\x01\x11\x70" + long, 1, nil},
		{"a frame too long", frameHead, "hello", "\x82\x06", 0, errReply},
		{"a message too short", frameHead, "hello", "\x82\x04hell", 0, errReply},
		{"a masked frame", frameHead, "hello", "\x82\x85", 0, errFrame},
		{"reserved bits", frameHead, "hello", "\xc2\x05", 0, errFrame},
		{"a close", frameHead, "hello", "\x88\x00", 0, errClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []int{1, 7, len(c.stream)} {
				r := inbound{parse: c.parse, want: []byte(c.want)}
				if err := feedInbound(&r, c.stream, step); !errors.Is(err, c.err) && (err == nil || c.err != errAny) {
					t.Errorf("in steps of %d: error %v, want %v", step, err, c.err)
				}
				if r.messages != c.messages {
					t.Errorf("in steps of %d: %d messages, want %d", step, r.messages, c.messages)
				}
			}
		})
	}
}

var errAny = errors.New("any")

func feedInbound(r *inbound, stream string, step int) error {
	for p := []byte(stream); len(p) > 0; {
		n := min(step, len(p))
		if err := r.read(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Of a large message that is trusted, nothing but its head is looked at, and its
// length still counts.
func TestInboundUnseen(t *testing.T) {
	r := inbound{parse: frameHead, want: Payload(70000), trusting: true}
	if n := r.unseen(); n != 0 {
		t.Errorf("before the head, %d bytes need not be seen", n)
	}
	first, last := []byte("\x02\x7f\x00\x00\x00\x00\x00\x01\x11\x00"), []byte("\x80\x70") // 69888 bytes and 112
	if err := r.read(first); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{69000, 888} {
		if r.unseen() < n {
			t.Fatalf("%d bytes need not be seen", r.unseen())
		}
		if err := r.skip(n); err != nil {
			t.Fatal(err)
		}
	}
	if r.progress() != 69888 || r.messages != 0 {
		t.Errorf("%d bytes, %d messages", r.progress(), r.messages)
	}
	if err := r.read(last); err != nil {
		t.Fatal(err)
	}
	if err := r.skip(r.unseen()); err != nil || r.messages != 1 || r.progress() != 70000 {
		t.Errorf("%d messages, %d bytes, error %v", r.messages, r.progress(), err)
	}
	if err := r.read([]byte("\x82\x70")); err != nil {
		t.Fatal(err)
	}
	if err := r.skip(r.unseen()); !errors.Is(err, errReply) {
		t.Errorf("a message too short: error %v", err)
	}
}
