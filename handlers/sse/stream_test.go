package sse_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/sse"
)

// source notes what a stream tells it.
type source struct {
	stream *sse.Stream
	told   []string
}

func (s *source) StreamWritable()         { s.told = append(s.told, "writable") }
func (s *source) StreamEnded(cause error) { s.told = append(s.told, fmt.Sprint(cause)) }

func (s *source) wants(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.told, want) {
		t.Errorf("the source was told %q, want %q", s.told, want)
	}
}

// open opens a stream in event form.
func open(t *testing.T, o *sse.Options, headers ...asgi.Header) (*source, *asgitest.Exchange) {
	t.Helper()
	s := &source{}
	x := asgitest.New(t, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		stream, ok := sse.Open(scope, x, o, s)
		if !ok {
			return nil
		}
		s.stream = stream
		return stream
	}), asgitest.HTTPScope("GET", "/", headers...))
	x.Deliver(&asgi.HTTPRequest{})
	return s, x
}

// body is what was sent so far, and whether that is all.
func body(x *asgitest.Exchange) string {
	r := x.Response()
	if r.Complete {
		return string(r.Body) + "END"
	}
	return string(r.Body)
}

// retryOf checks that a retry is between two bounds, and takes it off.
func retryOf(t *testing.T, stream string, least, most int) (rest string) {
	t.Helper()
	line, rest, _ := strings.Cut(stream, "\n\n")
	n, err := strconv.Atoi(strings.TrimPrefix(line, "retry: "))
	if err != nil || n < least || n > most {
		t.Errorf("%q is no retry from %d to %d", line, least, most)
	}
	return rest
}

func TestOpen(t *testing.T) {
	cors := asgi.Header{Name: "access-control-allow-origin", Value: "*"}
	s, x := open(t, &sse.Options{Headers: []asgi.Header{cors}})
	r := x.Response()
	if r.Status != 200 || r.Header("content-type") != "text/event-stream" || r.Header("cache-control") != "no-store, no-transform" ||
		r.Header("x-accel-buffering") != "no" || r.Header(cors.Name) != "*" {
		t.Errorf("%d %v", r.Status, r.Headers)
	}
	if rest := retryOf(t, body(x), 2000, 5000); rest != "" {
		t.Errorf("%q", rest)
	}
	s.wants(t)
}

// The retry is spread over the whole of its range.
func TestRetrySpread(t *testing.T) {
	hello := func(*asgitest.Exchange) {}
	drain := func(x *asgitest.Exchange) { x.Deliver(&asgi.Drain{}) }
	age := func(x *asgitest.Exchange) { x.Advance(10 * time.Minute) }
	for _, tc := range []struct {
		retry       time.Duration
		do          func(x *asgitest.Exchange)
		least, most int
	}{
		{0, hello, 2000, 5000},
		{0, drain, 5000, 10000},
		{0, age, 500, 1000},
		{100 * time.Millisecond, hello, 100, 250},
		{100 * time.Millisecond, drain, 250, 500},
		{100 * time.Millisecond, age, 25, 50},
		{1 << 61, hello, 24 * 3600_000, 24 * 3600_000 * 5 / 2},
	} {
		low, high := tc.most, 0
		for range 200 {
			_, x := open(t, &sse.Options{Retry: tc.retry, Heartbeat: -1})
			tc.do(x)
			n, err := strconv.Atoi(see(x.Response().Body).retry)
			if err != nil {
				t.Fatalf("%q", body(x))
			}
			low, high = min(low, n), max(high, n)
		}
		quarter := (tc.most - tc.least) / 4
		if low < tc.least || high > tc.most || low > tc.least+quarter || high < tc.most-quarter {
			t.Errorf("%v: from %d to %d, want %d to %d", tc.retry, low, high, tc.least, tc.most)
		}
	}
	_, x := open(t, &sse.Options{Retry: -1})
	x.Deliver(&asgi.Drain{})
	if body(x) != ":\n\nEND" {
		t.Errorf("%q", body(x))
	}
}

func TestSend(t *testing.T) {
	s, x := open(t, &sse.Options{Retry: -1})
	if err := s.stream.Send(&sse.Event{ID: "1", Data: []byte("a\nb")}); err != nil {
		t.Error(err)
	}
	if err := s.stream.Send(&sse.Event{ID: "\n"}); err == nil {
		t.Error("a malformed event was sent")
	}
	if err := s.stream.SendEncoded([]byte("data: c\n\n")); err != nil {
		t.Error(err)
	}
	if s.stream.Congested() || s.stream.Over() || s.stream.Context().Err() != nil {
		t.Error("it is congested, or over")
	}
	want := ":\n\nid: 1\ndata: a\ndata: b\n\ndata: c\n\n"
	if body(x) != want {
		t.Errorf("%q", body(x))
	}
	ctx := s.stream.Context()
	if err := s.stream.End(&sse.Event{Type: "a\nb"}); err == nil || s.stream.Over() {
		t.Error("a malformed event ends it")
	}
	if err := s.stream.End(&sse.Event{Data: []byte("last")}); err != nil {
		t.Error(err)
	}
	x.Run()
	if !s.stream.Over() || !s.stream.Congested() || ctx.Err() == nil || s.stream.Context() != ctx {
		t.Error("it is not over")
	}
	if s.stream.Send(&sse.Event{Data: []byte("after")}) != nil || s.stream.End(nil) != nil {
		t.Error("something after the end is an error")
	}
	s.stream.Finish()
	if body(x) != want+"data: last\n\nEND" {
		t.Errorf("%q", body(x))
	}
	s.wants(t) // it was its own doing
}

func TestHeartbeats(t *testing.T) {
	s, x := open(t, &sse.Options{Retry: -1, MaxAge: -1})
	want := ":\n\n"
	step := func(d time.Duration, more string) {
		t.Helper()
		x.Advance(d)
		want += more
		if body(x) != want {
			t.Fatalf("%q, want %q", body(x), want)
		}
	}
	// A heartbeat comes 17.5 to 20 s after the one before.
	step(20*time.Second, "") // something was sent meanwhile: the head
	step(15*time.Second-1, "")
	step(5*time.Second+1, ":\n\n") // 35 to 40
	step(12*time.Second, "")
	_ = s.stream.SendEncoded([]byte("data: a\n\n"))
	want += "data: a\n\n"
	step(8*time.Second, "")       // 52.5 to 60
	step(20*time.Second, ":\n\n") // 70 to 80
	x.Congest()
	step(200*time.Second, "") // comments would pile up
	x.Drain()
	s.wants(t, "writable")
	x.Advance(time.Hour)
	if n := strings.Count(strings.TrimPrefix(body(x), want), ":\n\n"); n < 180 || n > 206 {
		t.Errorf("%d heartbeats in an hour", n)
	}
}

func TestAge(t *testing.T) {
	s, x := open(t, &sse.Options{Retry: -1, Heartbeat: -1})
	ctx := s.stream.Context()
	x.Advance(8*time.Minute - time.Second)
	if s.stream.Over() {
		t.Error("it ends too early")
	}
	x.Advance(2*time.Minute + time.Second)
	if body(x) != ":\n\nEND" || context.Cause(ctx) != sse.ErrTooOld {
		t.Errorf("%q, %v", body(x), context.Cause(ctx))
	}
	s.wants(t, sse.ErrTooOld.Error())

	ended := map[time.Duration]int{}
	for range 100 {
		s, x := open(t, &sse.Options{MaxAge: 100 * time.Second})
		age := time.Duration(0)
		for !s.stream.Over() {
			x.Advance(5 * time.Second)
			age += 5 * time.Second
		}
		ended[age]++
	}
	if len(ended) < 4 { // of 80 to 100 s
		t.Errorf("they end together: %v", ended)
	}
	for age := range ended {
		if age < 80*time.Second || age > 100*time.Second {
			t.Errorf("after %v", age)
		}
	}
}

func TestDisconnect(t *testing.T) {
	s, x := open(t, nil)
	ctx := s.stream.Context()
	x.Deliver(&asgi.HTTPDisconnect{})
	s.wants(t, asgi.ErrDisconnected.Error())
	if context.Cause(ctx) != asgi.ErrDisconnected || !s.stream.Over() {
		t.Errorf("%v", context.Cause(ctx))
	}
	before := body(x)
	x.Advance(time.Hour)
	_ = s.stream.Send(&sse.Event{Data: []byte("a")})
	s.stream.Finish()
	if body(x) != before {
		t.Errorf("%q", body(x))
	}
	s.wants(t, asgi.ErrDisconnected.Error())
	if late := s.stream.Context(); late.Err() == nil {
		t.Error("the context goes on")
	}
	s, _ = open(t, nil)
	s.stream.Finish()
	if s.stream.Context().Err() == nil {
		t.Error("a context that is asked for after the end is not over")
	}
}

func TestDrainEnds(t *testing.T) {
	s, x := open(t, nil)
	x.Deliver(&asgi.Drain{Deadline: time.Now().Add(time.Minute)})
	s.wants(t, sse.ErrDraining.Error())
	_, rest, _ := strings.Cut(body(x), "\n\n")
	if rest := retryOf(t, rest, 5000, 10000); rest != "END" {
		t.Errorf("%q", rest)
	}
}

func TestDrainFinishes(t *testing.T) {
	o := &sse.Options{Drain: sse.DrainFinishes, Heartbeat: -1, MaxAge: -1}
	s, x := open(t, o)
	x.Deliver(&asgi.Drain{Deadline: time.Now().Add(30 * time.Second)})
	x.Advance(28 * time.Second)
	_ = s.stream.SendEncoded([]byte("data: a\n\n"))
	s.wants(t)
	x.Advance(time.Second)
	s.wants(t, sse.ErrDraining.Error())
	_, rest, _ := strings.Cut(body(x), "data: a\n\n")
	if rest := retryOf(t, rest, 5000, 10000); rest != "END" {
		t.Errorf("%q", rest)
	}
	s, x = open(t, o)
	x.Deliver(&asgi.Drain{}) // without a deadline
	x.Advance(24 * time.Hour)
	s.wants(t)
	s.stream.Finish()
	if !strings.HasSuffix(body(x), "END") {
		t.Errorf("%q", body(x))
	}
}

// Who has seen the end is told not to come back.
func TestFinish(t *testing.T) {
	s, x := open(t, &sse.Options{Retry: -1})
	s.stream.Finish()
	x.Run()
	b := see(x.Response().Body)
	if want := (dispatched{"end", "{}", b.lastID}); b.lastID == "" || len(b.events) != 1 || b.events[0] != want || !x.Response().Complete {
		t.Errorf("%+v", b)
	}
	for _, headers := range [][]asgi.Header{{{Name: "last-event-id", Value: b.lastID}}} {
		s, x = open(t, nil, headers...)
		if r := x.Response(); r.Status != 204 || !r.Complete || len(r.Body) > 0 || s.stream != nil {
			t.Errorf("%+v", r)
		}
	}
	if s, _ = open(t, nil, asgi.Header{Name: "last-event-id", Value: "other"}); s.stream == nil {
		t.Error("who has seen another event is told not to come back")
	}
}

func TestHead(t *testing.T) {
	s := &source{}
	x := asgitest.New(t, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if _, ok := sse.Open(scope, x, nil, s); ok {
			t.Error("HEAD has a stream")
		}
		return nil
	}), asgitest.HTTPScope("HEAD", "/"))
	if r := x.Response(); r.Status != 200 || r.Header("content-type") != "text/event-stream" || !r.Complete || len(r.Body) > 0 {
		t.Errorf("%+v", r)
	}
}

// refusing is an exchange that refuses every head.
type refusing struct {
	asgi.Exchange
	ended error
}

var errHead = errors.New("a field is malformed")

func (x *refusing) Send(asgi.SendEvent) error { return errHead }
func (x *refusing) End(err error)             { x.ended = err }

func TestOpenRefused(t *testing.T) {
	x := &refusing{}
	if _, ok := sse.Open(asgitest.HTTPScope("GET", "/"), x, nil, &source{}); ok || x.ended != errHead {
		t.Errorf("%v, %v", ok, x.ended)
	}
}
