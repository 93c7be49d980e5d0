package http1

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// request is one request as the driver saw it.
type request struct {
	line     string // method SP target SP minor
	host     string
	fields   string // name=value, in order
	body     string
	trailers string
	ended    bool
}

func (r request) String() string {
	return fmt.Sprintf("%s host=%q fields=[%s] body=%q trailers=[%s] ended=%t", r.line, r.host, r.fields, r.body, r.trailers, r.ended)
}

// transcript is what a stream of octets amounts to.
type transcript struct {
	requests []request
	err      *Error // what Next returned
	last     EventKind
	eof      error
	pending  bool // a head was left unfinished
}

func (tr transcript) String() string {
	var b strings.Builder
	for _, r := range tr.requests {
		fmt.Fprintln(&b, r)
	}
	fmt.Fprintf(&b, "err=%v last=%v eof=%v pending=%t", tr.err, tr.last, tr.eof, tr.pending)
	return b.String()
}

// answer is when the driver's application answers.
type answer int

const (
	atEnd     answer = iota // when the request is complete
	atRequest               // at once, so that the body is drained
	never
)

// driver feeds a machine and plays the application. It gives every part in
// memory of its own and overwrites it after the call, so that a machine which
// retains p is found out.
type driver struct {
	t      testing.TB
	m      *Machine
	head   Head
	answer answer
	tr     transcript
	rest   []byte // not consumed while Paused
	done   bool
}

func (d *driver) feed(part []byte) {
	if d.done {
		return
	}
	p := append(d.rest, part...)
	d.rest = nil
	memory := p
	for {
		ev, err := d.m.Next(p, &d.head)
		if err != nil {
			if !errors.As(err, &d.tr.err) {
				d.t.Fatalf("error of type %T", err)
			}
			d.done = true
			d.tr.last = NeedData // where the events before the error were cut is no matter
			break
		}
		d.check(ev, p)
		p = p[ev.N:]
		d.tr.last = ev.Kind
		if d.event(ev) {
			break
		}
	}
	if d.tr.last == Paused && !d.done {
		d.rest = bytes.Clone(p)
	}
	clear(memory)
}

// check tests what holds of every event.
func (d *driver) check(ev Event, p []byte) {
	d.t.Helper()
	limit := max(d.m.cfg.maxHead(), d.m.cfg.maxTrailer()+2)
	switch {
	case ev.N < 0 || ev.N > len(p):
		d.t.Fatalf("%v consumed %d of %d octets", ev.Kind, ev.N, len(p))
	case (ev.Kind == NeedData || ev.Kind == Closed) && ev.N != len(p):
		d.t.Fatalf("%v consumed %d of %d octets", ev.Kind, ev.N, len(p))
	case (ev.Kind == Paused || ev.Kind == Switched) && ev.N != 0:
		d.t.Fatalf("%v consumed %d octets", ev.Kind, ev.N)
	case (ev.Kind == Body) != (len(ev.Data) > 0):
		d.t.Fatalf("%v with %d octets of data", ev.Kind, len(ev.Data))
	case d.m.Buffered() > limit:
		d.t.Fatalf("%d octets buffered, limit %d", d.m.Buffered(), limit)
	case d.m.Buffered() > 0 && !d.m.HeadPending() && !d.m.InRequest():
		d.t.Fatalf("%d octets buffered while idle", d.m.Buffered())
	}
}

// event plays one event and reports whether to wait for more.
func (d *driver) event(ev Event) (wait bool) {
	switch ev.Kind {
	case Request:
		d.tr.requests = append(d.tr.requests, d.describe())
		if d.answer == atRequest {
			d.respond()
		}
	case Body:
		r := &d.tr.requests[len(d.tr.requests)-1]
		r.body += string(ev.Data)
	case End:
		r := &d.tr.requests[len(d.tr.requests)-1]
		r.ended = true
		r.trailers = join(d.m.Trailers(nil))
		if d.answer == atEnd {
			d.respond()
		}
	default:
		return true
	}
	return false
}

func (d *driver) describe() request {
	h := &d.head
	method, path, query, headers := h.Copy(nil)
	if method != string(h.Method()) || path != string(h.RawPath()) || query != string(h.Query()) {
		d.t.Fatalf("Copy gives %q %q %q, the head %q %q %q", method, path, query, h.Method(), h.RawPath(), h.Query())
	}
	return request{
		line:   fmt.Sprintf("%s %s %d", h.Method(), h.Target(), h.Minor()),
		host:   string(h.Host()),
		fields: join(headers),
	}
}

func (d *driver) respond() {
	out, err := d.m.AppendStart(nil, &Response{Status: 404, BodyBytes: 0})
	if err == nil {
		_, err = d.m.AppendLastBody(out, nil)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func join(headers []asgi.Header) string {
	var parts []string
	for _, h := range headers {
		parts = append(parts, h.Name+"="+h.Value)
	}
	return strings.Join(parts, "|")
}

// run feeds raw in parts and then ends the stream.
func run(t testing.TB, cfg *Config, a answer, parts ...[]byte) transcript {
	t.Helper()
	d := &driver{t: t, m: New(cfg), answer: a}
	for _, p := range parts {
		d.feed(p)
	}
	d.tr.pending = d.m.HeadPending()
	if d.tr.err == nil {
		d.tr.eof = d.m.EOF()
	}
	return d.tr
}

// cut cuts raw at the given places.
func cut(raw []byte, at ...int) [][]byte {
	var parts [][]byte
	from := 0
	for _, i := range at {
		parts = append(parts, raw[from:i])
		from = i
	}
	return append(parts, raw[from:])
}

func octetByOctet(raw []byte) [][]byte {
	var parts [][]byte
	for i := range raw {
		parts = append(parts, raw[i:i+1])
	}
	return parts
}

// runCut runs raw whole, octet by octet, at every single cut and at some random
// ones, with empty parts between, and checks that all amount to the same.
func runCut(t testing.TB, cfg *Config, a answer, raw string) transcript {
	t.Helper()
	b := []byte(raw)
	whole := run(t, cfg, a, b)
	same := func(how string, parts [][]byte) {
		t.Helper()
		if got := run(t, cfg, a, parts...); got.String() != whole.String() {
			t.Fatalf("%q\n%s amounts to\n%v\nwhole to\n%v", clip(raw), how, got, whole)
		}
	}
	same("octet by octet", octetByOctet(b))
	step := max(1, len(b)/512)
	for i := 0; i <= len(b); i += step {
		same(fmt.Sprintf("cut at %d", i), cut(b, i))
	}
	rng := rand.New(rand.NewPCG(uint64(len(b)), 1))
	for range 4 {
		i := rng.IntN(len(b) + 1)
		j := i + rng.IntN(len(b)-i+1)
		same(fmt.Sprintf("cut at %d and %d", i, j), cut(b, i, i, j))
	}
	return whole
}

func clip(s string) string {
	if len(s) > 400 {
		return s[:200] + "..." + s[len(s)-200:]
	}
	return s
}

const nextRequest = "GET /next HTTP/1.1\r\nHost: next\r\n\r\n"

// accepted checks that raw is want, however it is cut, that nothing is left
// over, and, if the connection persists, that a request right behind it is the
// next request.
func accepted(t testing.TB, cfg *Config, raw string, want ...request) {
	t.Helper()
	got := runCut(t, cfg, atEnd, raw)
	if got.err != nil || got.eof != nil || got.pending {
		t.Fatalf("%q\nrefused: %v", clip(raw), got)
	}
	compare(t, raw, got.requests, want)
	if got.last == Closed {
		return
	}
	behind := runCut(t, cfg, atEnd, raw+nextRequest)
	next := request{line: "GET /next 1", host: "next", fields: "host=next", ended: true}
	compare(t, raw+nextRequest, behind.requests, append(want[:len(want):len(want)], next))
}

func compare(t testing.TB, raw string, got, want []request) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%q\nis %d requests %v\nwant %d", clip(raw), len(got), got, len(want))
	}
	for i := range want {
		w := want[i]
		if w.fields == "*" {
			w.fields = got[i].fields
		}
		if got[i] != w {
			t.Fatalf("%q\nis   %v\nwant %v", clip(raw), got[i], w)
		}
	}
}

// refused checks that raw is refused with that status, however it is cut and
// whatever follows, and that the connection is over.
func refused(t testing.TB, cfg *Config, raw string, status int) *Error {
	t.Helper()
	got := runCut(t, cfg, atEnd, raw)
	if got.err == nil {
		t.Fatalf("%q\naccepted: %v", clip(raw), got)
	}
	if got.err.Status != status {
		t.Fatalf("%q\nrefused with %d (%v), want %d", clip(raw), got.err.Status, got.err, status)
	}
	if behind := run(t, cfg, atEnd, []byte(raw+nextRequest)); behind.String() != got.String() {
		t.Fatalf("%q\nwith a request behind it: %v", clip(raw), behind)
	}
	over(t, cfg, raw)
	return got.err
}

// over checks that a refused stream ends its connection.
func over(t testing.TB, cfg *Config, raw string) {
	t.Helper()
	d := &driver{t: t, m: New(cfg)}
	d.feed([]byte(raw))
	if _, err := d.m.Next([]byte(nextRequest), &d.head); err != error(d.tr.err) {
		t.Fatalf("%q\nerror is not sticky: %v", clip(raw), err)
	}
	out := d.m.AppendError(nil, d.tr.err.Status, "", "")
	if !strings.HasPrefix(string(out), fmt.Sprintf("HTTP/1.1 %d ", d.tr.err.Status)) || !strings.Contains(string(out), "\r\nConnection: close\r\n") {
		t.Fatalf("%q\nerror response %q", clip(raw), out)
	}
	ev, err := d.m.Next([]byte(nextRequest), &d.head)
	if err != nil || ev.Kind != Closed || ev.N != len(nextRequest) || d.m.KeepAlive() {
		t.Fatalf("%q\nafter the error: %v %v", clip(raw), ev, err)
	}
}

// waits checks that raw is the beginning of a request: more is needed, and the
// end of the stream there is an error.
func waits(t testing.TB, cfg *Config, raw string) {
	t.Helper()
	got := runCut(t, cfg, atEnd, raw)
	if got.err != nil || got.last != NeedData || got.eof == nil {
		t.Fatalf("%q\nis taken for complete: %v", clip(raw), got)
	}
}
