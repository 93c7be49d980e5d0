package sse

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gale-server/gale/asgi"
)

// Event is one event of a stream, in the format that browsers understand:
//
//	field   is there if
//	id:     ID is not ""
//	retry:  Retry is not 0     milliseconds
//	event:  Type is not ""
//	data:   Data is not nil    one for each line of it
//	        and an empty line
//
// See https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
type Event struct {
	// ID is what the client sends as Last-Event-ID when it comes back: visible
	// ASCII, for it must fit into a header field. "" leaves that of an event
	// before. Not every browser keeps the ID of an event without Data.
	ID string

	// Type is the name under which a browser dispatches the event; "" stands for
	// "message". It has no line breaks. A page that listens to "error" hears of
	// lost connections, too: it is no name to choose.
	Type string

	// Data is UTF-8. Each CR, LF and CRLF in it arrives as LF, for that is the
	// end of a line here. With nil, no event is dispatched, but ID and Retry are
	// taken; what is empty and not nil is dispatched.
	Data []byte

	// Retry is how long the client waits before it comes back, from now on; parts
	// of a millisecond count as one. Zero leaves what it is.
	Retry time.Duration
}

// FieldError says that a field of an Event cannot be sent as it is.
//
// Safe for concurrent use: immutable.
type FieldError struct {
	Field string // of Event
	Text  string
}

func (e *FieldError) Error() string { return "sse: " + e.Field + " " + e.Text }

var (
	errID    = &FieldError{"ID", "is not visible ASCII"}
	errType  = &FieldError{"Type", "has a line break or is not UTF-8"}
	errData  = &FieldError{"Data", "is not UTF-8"}
	errRetry = &FieldError{"Retry", "is negative"}
)

// check returns what is wrong with e. What would end a line in a name, or is not
// UTF-8, would not arrive as what it is; an id with a NUL is ignored.
func (e *Event) check() *FieldError {
	switch {
	case !visible(e.ID):
		return errID
	case strings.ContainsAny(e.Type, "\r\n") || !utf8.ValidString(e.Type):
		return errType
	case !utf8.Valid(e.Data):
		return errData
	case e.Retry < 0:
		return errRetry
	}
	return nil
}

// visible reports whether all of s is visible ASCII.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Append appends e, with the empty line that ends it. The error is a *FieldError,
// and then dst is returned as it was.
func (e *Event) Append(dst []byte) ([]byte, error) {
	if err := e.check(); err != nil {
		return dst, err
	}
	if e.ID != "" {
		dst = appendField(dst, "id: ", e.ID)
	}
	if e.Retry > 0 {
		dst = appendRetry(dst, e.Retry)
	}
	if e.Type != "" {
		dst = appendField(dst, "event: ", e.Type)
	}
	if e.Data != nil {
		dst = appendLines(dst, "data: ", e.Data)
	}
	return append(dst, '\n'), nil
}

// AppendComment appends a comment, which clients ignore. It may have several
// lines.
func AppendComment(dst []byte, text string) []byte {
	return append(appendLines(dst, ": ", []byte(text)), '\n')
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, value...)
	return append(dst, '\n')
}

func appendRetry(dst []byte, d time.Duration) []byte {
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, ms, 10)
	return append(dst, '\n')
}

// appendLines appends a field for each line of a value. The space behind the
// colon is taken off by the client, so that one in the value stays.
func appendLines(dst []byte, name string, value []byte) []byte {
	for {
		dst = append(dst, name...)
		end := bytes.IndexAny(value, "\r\n")
		if end < 0 {
			dst = append(dst, value...)
			return append(dst, '\n')
		}
		dst = append(dst, value[:end]...)
		dst = append(dst, '\n')
		if value[end] == '\r' && end+1 < len(value) && value[end+1] == '\n' {
			end++
		}
		value = value[end+1:]
	}
}

// LastEventID returns the ID of the last event that a client has seen which comes
// back, or "": the field Last-Event-ID, or else the parameter last_event_id, for
// whoever cannot send the field.
func LastEventID(scope *asgi.Scope) string {
	if id, ok := scope.Header("last-event-id"); ok {
		return id
	}
	query, _ := url.ParseQuery(scope.QueryString)
	return query.Get("last_event_id")
}
