package sse_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/sse"
)

func TestAppend(t *testing.T) {
	for _, tc := range []struct {
		event sse.Event
		want  string
	}{
		{sse.Event{}, "\n"},
		{sse.Event{Data: []byte("a")}, "data: a\n\n"},
		{sse.Event{Data: []byte{}}, "data: \n\n"},
		{sse.Event{Data: []byte(" a ")}, "data:  a \n\n"},
		{sse.Event{Data: []byte(":a")}, "data: :a\n\n"},
		{sse.Event{Data: []byte("a\nb\rc\r\nd")}, "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		{sse.Event{Data: []byte("\n")}, "data: \ndata: \n\n"},
		{sse.Event{Data: []byte("\r")}, "data: \ndata: \n\n"},
		{sse.Event{Data: []byte("\r\n")}, "data: \ndata: \n\n"},
		{sse.Event{Data: []byte("\n\r")}, "data: \ndata: \ndata: \n\n"},
		{sse.Event{Data: []byte("\r\r\n\n")}, "data: \ndata: \ndata: \ndata: \n\n"},
		{sse.Event{Data: []byte("a\u2028b\u0085c\vd\x00")}, "data: a\u2028b\u0085c\vd\x00\n\n"}, // no ends of lines here
		{sse.Event{ID: "7"}, "id: 7\n\n"},
		{sse.Event{Type: "gap", Data: []byte("{}")}, "event: gap\ndata: {}\n\n"},
		{sse.Event{Retry: 1500 * time.Millisecond}, "retry: 1500\n\n"},
		{sse.Event{Retry: time.Nanosecond}, "retry: 1\n\n"},
		{sse.Event{Retry: 1<<63 - 1}, "retry: 9223372036855\n\n"},
		{sse.Event{ID: "x~!", Type: " a b", Retry: time.Second, Data: []byte("1\n2")}, "id: x~!\nretry: 1000\nevent:  a b\ndata: 1\ndata: 2\n\n"},
	} {
		got, err := tc.event.Append([]byte("before"))
		if err != nil || string(got) != "before"+tc.want {
			t.Errorf("%+v: %q, %v; want %q", tc.event, got, err, tc.want)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for _, tc := range []struct {
		event sse.Event
		field string
	}{
		{sse.Event{ID: "a b"}, "ID"},
		{sse.Event{ID: "a\n"}, "ID"},
		{sse.Event{ID: "a\r"}, "ID"},
		{sse.Event{ID: "a\x00b"}, "ID"},
		{sse.Event{ID: "\x7f"}, "ID"},
		{sse.Event{ID: "ä"}, "ID"},
		{sse.Event{Type: "a\nb"}, "Type"},
		{sse.Event{Type: "a\rb"}, "Type"},
		{sse.Event{Type: "a\xff"}, "Type"},
		{sse.Event{Data: []byte("\xff")}, "Data"},
		{sse.Event{Data: []byte("ä")[:1]}, "Data"},
		{sse.Event{Retry: -1}, "Retry"},
	} {
		before := append(make([]byte, 0, 100), "before"...)
		got, err := tc.event.Append(before)
		var wrong *sse.FieldError
		if !errors.As(err, &wrong) || wrong.Field != tc.field || string(got) != "before" {
			t.Errorf("%+v: %q, %v", tc.event, got, err)
		}
	}
}

func TestAppendComment(t *testing.T) {
	for text, want := range map[string]string{
		"":                  ": \n\n",
		"hb":                ": hb\n\n",
		"a\ndata: b\r\n\rc": ": a\n: data: b\n: \n: c\n\n",
	} {
		if got := sse.AppendComment([]byte("data: x\n\n"), text); string(got) != "data: x\n\n"+want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// What a browser gets of an event, whatever was before.
func arrives(t *testing.T, e *sse.Event) {
	t.Helper()
	p, err := e.Append(nil)
	if err != nil {
		return // TestAppendRefuses
	}
	b := see([]byte("id: before\ndata: x\n\n" + string(p) + ":\n\ndata: y\n\n"))
	want := []dispatched{{"message", "x", "before"}}
	id := "before"
	if e.ID != "" {
		id = e.ID
	}
	if e.Data != nil {
		kind := e.Type
		if kind == "" {
			kind = "message"
		}
		data := strings.ReplaceAll(strings.ReplaceAll(string(e.Data), "\r\n", "\n"), "\r", "\n")
		want = append(want, dispatched{kind, data, id})
	}
	want = append(want, dispatched{"message", "y", id})
	if !reflect.DeepEqual(b.events, want) || b.lastID != id {
		t.Errorf("%+v is sent as %q and arrives as %+v", e, p, b.events)
	}
	switch {
	case e.Retry == 0 && b.retry != "", e.Retry > 0 && (b.retry == "" || b.retry == "0"):
		t.Errorf("%+v is sent as %q: retry is %q", e, p, b.retry)
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("1", "kind", []byte("a\r\nb"), int64(5), true)
	f.Add("", "", []byte("\r"), int64(0), true)
	f.Add("a", "x\r", []byte("\n\n:data: a\n"), int64(-1), false)
	f.Add("\x00", "\uFEFF", []byte("\uFEFF"), int64(1e6), true)
	f.Fuzz(func(t *testing.T, id, kind string, data []byte, retry int64, dispatch bool) {
		e := &sse.Event{ID: id, Type: kind, Retry: time.Duration(retry)}
		if dispatch {
			e.Data = append([]byte{}, data...)
		}
		arrives(t, e)
		if _, err := e.Append(nil); err == nil && !(utf8.Valid(e.Data) && retry >= 0) {
			t.Errorf("%+v is sent", e)
		}
		b := see(append([]byte("data: x\n\n"), sse.AppendComment(nil, string(data))...))
		if len(b.events) != 1 || b.lastID != "" || b.retry != "" {
			t.Errorf("a comment says %+v", b)
		}
	})
}

func TestLastEventID(t *testing.T) {
	field := asgi.Header{Name: "last-event-id", Value: "f"}
	for _, tc := range []struct {
		target  string
		headers []asgi.Header
		want    string
	}{
		{"/", nil, ""},
		{"/?last_event_id=q%2B", nil, "q+"},
		{"/?last_event_id=q", []asgi.Header{field}, "f"},
		{"/", []asgi.Header{field}, "f"},
		{"/?last_event_id=%zz", nil, ""},
	} {
		if got := sse.LastEventID(asgitest.HTTPScope("GET", tc.target, tc.headers...)); got != tc.want {
			t.Errorf("%s %v: %q", tc.target, tc.headers, got)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	e := &sse.Event{ID: strings.Repeat("x", 64), Data: []byte(strings.Repeat("a", 125))}
	var p []byte
	b.ReportAllocs()
	for b.Loop() {
		p, _ = e.Append(p[:0])
	}
}
