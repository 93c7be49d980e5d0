package sse_test

import (
	"strings"
	"unicode/utf8"
)

// dispatched is an event as a page gets it.
type dispatched struct {
	Type, Data, ID string
}

// browser interprets a stream as the specification says, in its words and in its
// order, so that it has nothing in common with the encoder
// (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
type browser struct {
	events []dispatched
	lastID string   // "the last event ID string of the event source"
	retry  string   // "the event stream's reconnection time", as digits; "" if never set
	notes  []string // comments

	data, kind, id string // the buffers
}

// read interprets a whole stream.
func (b *browser) read(stream string) {
	// "UTF-8 decode": a byte order mark at the beginning is taken off, and what is
	// malformed becomes U+FFFD.
	stream = strings.TrimPrefix(stream, "\uFEFF")
	if !utf8.ValidString(stream) {
		stream = strings.ToValidUTF8(stream, "\uFFFD")
	}
	for {
		line, rest, ended := cutLine(stream)
		if !ended {
			return // "Once the end of the file is reached, any pending data must be discarded."
		}
		b.line(line)
		stream = rest
	}
}

// cutLine cuts off a line that ends with CRLF, LF or CR.
func cutLine(s string) (line, rest string, ended bool) {
	for i := range len(s) {
		switch {
		case s[i] == '\n':
			return s[:i], s[i+1:], true
		case s[i] == '\r' && i+1 < len(s) && s[i+1] == '\n':
			return s[:i], s[i+2:], true
		case s[i] == '\r':
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func (b *browser) line(line string) {
	if line == "" {
		b.dispatch()
		return
	}
	colon := strings.Index(line, ":")
	switch {
	case colon == 0:
		b.notes = append(b.notes, line[1:])
	case colon > 0:
		value := line[colon+1:]
		if value != "" && value[0] == ' ' {
			value = value[1:]
		}
		b.field(line[:colon], value)
	default:
		b.field(line, "")
	}
}

func (b *browser) field(name, value string) {
	switch name {
	case "event":
		b.kind = value
	case "data":
		b.data += value + "\n"
	case "id":
		if !strings.Contains(value, "\x00") {
			b.id = value
		}
	case "retry":
		digits := value != ""
		for i := range len(value) {
			digits = digits && value[i] >= '0' && value[i] <= '9'
		}
		if digits {
			b.retry = value
		}
	}
}

func (b *browser) dispatch() {
	b.lastID = b.id
	if b.data == "" {
		b.kind = ""
		return
	}
	ev := dispatched{Type: "message", Data: strings.TrimSuffix(b.data, "\n"), ID: b.lastID}
	if b.kind != "" {
		ev.Type = b.kind
	}
	b.data, b.kind = "", ""
	b.events = append(b.events, ev)
}

// see interprets a stream from its beginning.
func see(stream []byte) *browser {
	b := &browser{}
	b.read(string(stream))
	return b
}
