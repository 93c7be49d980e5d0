package load

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRepeated(t *testing.T) {
	for _, c := range []struct {
		name     string
		stream   string
		messages int
		err      error
	}{
		{"three", "head:date-tail" + "head:DATE-tail" + "head:....-tail", 3, nil},
		{"half", "head:date-tail" + "head:DA", 1, nil},
		{"wrong first byte", "head:date-tail" + "Head:date-tail", 1, errReply},
		{"wrong before the hole", "head;date-tail", 0, errReply},
		{"wrong after the hole", "head:date_tail", 0, errReply},
		{"wrong last byte", "head:date-taiL", 0, errReply},
	} {
		for _, piece := range pieces {
			t.Run(fmt.Sprintf("%s in pieces of %d", c.name, piece), func(t *testing.T) {
				r := &repeated{want: []byte("head:date-tail"), from: 5, to: 9}
				messages, err := readAll(r, []byte(c.stream), piece)
				if messages != c.messages || !errors.Is(err, c.err) {
					t.Errorf("%d messages, error %v; want %d, %v", messages, err, c.messages, c.err)
				}
			})
		}
	}
}

func TestRepeatedWithoutAHole(t *testing.T) {
	if n, err := readAll(&repeated{want: []byte("abc")}, []byte("abcabc"), 2); n != 2 || err != nil {
		t.Errorf("%d messages, error %v", n, err)
	}
	if _, err := readAll(&repeated{want: []byte("abc")}, []byte("abX"), 3); err != errReply {
		t.Errorf("a wrong last byte: error %v", err)
	}
}

func TestField(t *testing.T) {
	head := []byte("HTTP/1.1 200 OK\r\nUpdate: no\r\nDATE:  today \r\nX: y\r\n\r\n")
	from, to, value := field(head, "date")
	if value != "today" || string(head[from:to]) != "  today " {
		t.Errorf("value %q at %d..%d", value, from, to)
	}
	if from, to, value := field(head, "none"); from != 0 || to != 0 || value != "" {
		t.Errorf("a field that is not there: %q at %d..%d", value, from, to)
	}
}

// What a client sends in a batch is what its reader wants back from an echo.
func TestBatches(t *testing.T) {
	message := payload(125)
	if got := NewEcho(125).batch(3); !bytes.Equal(got, bytes.Repeat(message, 3)) {
		t.Errorf("a raw batch has %d bytes", len(got))
	}
	if got := NewWebSocketEcho(125).batch(16); len(got) != 16*(2+4+125) {
		t.Errorf("a WebSocket batch has %d bytes", len(got))
	}
	if got := string(NewHTTP().batch(2)); strings.Count(got, "\r\n\r\n") != 2 || strings.Count(got, ": ") != 2*6 {
		t.Errorf("an HTTP batch is %q", got)
	}
}
