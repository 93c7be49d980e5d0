package asgi_test

import (
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
)

// full returns every event with every field set to something that is not zero.
func full() []asgi.Event {
	fields := func() []asgi.Header { return []asgi.Header{{Name: "n", Value: "v"}} }
	return []asgi.Event{
		&asgi.HTTPRequest{Body: []byte("p"), MoreBody: true},
		&asgi.HTTPDisconnect{},
		&asgi.HTTPResponseStart{Status: 1, Headers: fields(), Trailers: true},
		&asgi.HTTPResponseBody{Body: []byte("p"), MoreBody: true, Lifetime: asgi.UntilWritable},
		&asgi.HTTPResponseTrailers{Headers: fields(), MoreTrailers: true},
		&asgi.HTTPEarlyHint{Links: []string{"l"}},
		&asgi.HTTPResponsePathSend{Path: "/p"},
		&asgi.HTTPResponseZeroCopySend{File: os.Stdin, Offset: 1, Count: 2, MoreBody: true},
		&asgi.WebSocketConnect{},
		&asgi.WebSocketAccept{Subprotocol: "s", Headers: fields()},
		&asgi.WebSocketReceive{Kind: asgi.Binary, Data: []byte("p")},
		&asgi.WebSocketSend{Kind: asgi.Binary, Data: []byte("p"), Lifetime: asgi.UntilWritable},
		&asgi.WebSocketClose{Code: 1, Reason: "r"},
		&asgi.WebSocketDisconnect{Code: 1, Reason: "r"},
		&asgi.WebSocketDenialStart{Status: 1, Headers: fields()},
		&asgi.WebSocketDenialBody{Body: []byte("p"), MoreBody: true},
		&asgi.LifespanStartup{},
		&asgi.LifespanStartupComplete{},
		&asgi.LifespanStartupFailed{Message: "m"},
		&asgi.LifespanShutdown{},
		&asgi.LifespanShutdownComplete{},
		&asgi.LifespanShutdownFailed{Message: "m"},
		&asgi.Drain{Deadline: time.Unix(1, 2)},
		&asgi.Writable{},
	}
}

func clone(ev asgi.Event) asgi.Event {
	switch e := ev.(type) {
	case asgi.ReceiveEvent:
		return asgi.CloneReceive(e)
	case asgi.SendEvent:
		return asgi.CloneSend(e)
	}
	panic("an event goes neither way")
}

// A clone is equal, field by field, and shares no memory that can be written.
func TestCloneIsEqualAndIndependent(t *testing.T) {
	seen := map[string]bool{}
	for _, ev := range full() {
		t.Run(ev.EventType(), func(t *testing.T) {
			if seen[ev.EventType()] {
				t.Fatal("two events have this type")
			}
			seen[ev.EventType()] = true
			c := clone(ev)
			if !reflect.DeepEqual(c, ev) {
				t.Fatalf("clone of %+v is %+v", ev, c)
			}
			original, copied := reflect.ValueOf(ev).Elem(), reflect.ValueOf(c).Elem()
			for i := range original.NumField() {
				field := original.Field(i)
				if field.IsZero() {
					t.Errorf("field %s is not set by this test", original.Type().Field(i).Name)
				}
				if field.Kind() == reflect.Slice && field.Pointer() == copied.Field(i).Pointer() {
					t.Errorf("field %s is shared", original.Type().Field(i).Name)
				}
			}
		})
	}
}

func TestCloneSharesImmutable(t *testing.T) {
	p := []byte("p")
	body := asgi.CloneSend(&asgi.HTTPResponseBody{Body: p, Lifetime: asgi.Immutable}).(*asgi.HTTPResponseBody)
	message := asgi.CloneSend(&asgi.WebSocketSend{Data: p, Lifetime: asgi.Immutable}).(*asgi.WebSocketSend)
	if &body.Body[0] != &p[0] || &message.Data[0] != &p[0] {
		t.Error("an immutable payload was copied")
	}
}

func TestCloneKeepsNil(t *testing.T) {
	c := asgi.CloneSend(&asgi.HTTPResponseStart{}).(*asgi.HTTPResponseStart)
	if c.Headers != nil {
		t.Errorf("no headers became %v", c.Headers)
	}
}

func TestSize(t *testing.T) {
	for _, ev := range full() {
		want := 0
		for _, name := range []string{"Body", "Data"} {
			if f := reflect.ValueOf(ev).Elem().FieldByName(name); f.IsValid() {
				want = f.Len()
			}
		}
		if got := asgi.Size(ev); got != want {
			t.Errorf("Size(%s) is %d, want %d", ev.EventType(), got, want)
		}
	}
}

func TestScopeCopy(t *testing.T) {
	nested := map[string]int{"n": 1}
	original := func() *asgi.Scope {
		return &asgi.Scope{
			Type: asgi.ScopeWebSocket, SpecVersion: "2.5", HTTPVersion: "1.1", Method: "GET", Scheme: "ws",
			Path: "/p", RawPath: "/p", QueryString: "q", RootPath: "/r",
			Headers:      append(make([]asgi.Header, 0, 8), asgi.Header{Name: "a", Value: "1"}),
			Client:       asgi.Address{Host: "c", Port: 1},
			Server:       asgi.Address{Host: "s", Port: 2},
			Subprotocols: append(make([]string, 0, 8), "chat"),
			State:        map[string]any{"nested": nested},
			Extensions:   map[string]any{"e": nil},
		}
	}
	s := original()
	c := s.Copy()
	if !reflect.DeepEqual(s, c) {
		t.Fatalf("copy of %+v is %+v", s, c)
	}
	for i, v := 0, reflect.ValueOf(*s); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("field %s is not set by this test", v.Type().Field(i).Name)
		}
	}
	one, two := s.Copy(), s.Copy()
	one.Headers = append(one.Headers, asgi.Header{Name: "one"})
	two.Headers = append(two.Headers, asgi.Header{Name: "two"})
	one.Subprotocols = append(one.Subprotocols, "one")
	two.Subprotocols = append(two.Subprotocols, "two")
	one.State["own"] = true
	one.Extensions["own"] = true
	one.Path = "/other"
	if one.Headers[1].Name != "one" || one.Subprotocols[1] != "one" {
		t.Error("two copies append to the same array")
	}
	if !reflect.DeepEqual(s, original()) {
		t.Errorf("changes of a copy reached the original: %+v", s)
	}
	nested["n"] = 2
	if c.State["nested"].(map[string]int)["n"] != 2 {
		t.Error("the state was copied deeply")
	}
	if c := (&asgi.Scope{}).Copy(); c.State != nil || c.Extensions != nil {
		t.Error("a scope without state got one by copying")
	}
}

func TestScopeLookups(t *testing.T) {
	s := &asgi.Scope{
		Headers:    []asgi.Header{{Name: "a", Value: "1"}, {Name: "b", Value: ""}, {Name: "a", Value: "2"}},
		Extensions: map[string]any{asgi.ExtDrain: nil},
	}
	for name, want := range map[string]string{"a": "1 true", "b": " true", "c": " false", "A": " false"} {
		value, ok := s.Header(name)
		if got := fmt.Sprint(value, " ", ok); got != want {
			t.Errorf("Header(%q) is %q, want %q", name, got, want)
		}
	}
	if !s.Supports(asgi.ExtDrain) || s.Supports(asgi.ExtTLS) {
		t.Error("Supports must tell presence, whatever the data")
	}
}

func TestMessageKind(t *testing.T) {
	if got := asgi.Text.String() + " " + asgi.Binary.String(); got != "text binary" {
		t.Error(got)
	}
}

func TestPanicErrorUnwraps(t *testing.T) {
	inner := os.ErrClosed
	if got := (&asgi.PanicError{Value: inner}).Unwrap(); got != inner {
		t.Errorf("unwraps to %v", got)
	}
	if got := (&asgi.PanicError{Value: "text"}).Unwrap(); got != nil {
		t.Errorf("unwraps to %v", got)
	}
}
