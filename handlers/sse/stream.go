package sse

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
)

// Options are how streams are kept. Zero means the default, and so does a nil
// *Options.
//
// Safe for concurrent use while nobody changes it.
type Options struct {
	// Heartbeat is the silence after which a comment is sent, less up to an
	// eighth by chance. Default 20 s: the strictest proxies drop a silent
	// connection after 30. Negative: none.
	Heartbeat time.Duration

	// MaxAge bounds the life of a stream, less up to a fifth by chance, so that
	// those which began together do not end together. Browsers come back by
	// themselves. Default 10 min: proxies have their limits, servers and address
	// books change. Negative: no bound.
	MaxAge time.Duration

	// Retry is how long clients wait at least that were cut off before they come
	// back, and up to two and a half times as long by chance; twice that when the
	// server drains or has too much to do, and a quarter of it behind a stream that
	// has reached its age. Default 2 s. Negative: what browsers do by themselves.
	Retry time.Duration

	// Drain is what becomes of a stream when the server is about to stop. Default:
	// DrainEnds.
	Drain DrainPolicy

	// Headers are further fields of the response.
	Headers []asgi.Header
}

// DrainPolicy is what becomes of a stream when the server is about to stop.
type DrainPolicy uint8

// The policies.
const (
	// DrainEnds ends the stream at once; the client comes back to another server,
	// or later. It is for streams without an end.
	DrainEnds DrainPolicy = iota

	// DrainFinishes lets the stream come to its own end, until shortly before the
	// server's deadline. It is for answers that are streamed as they are made.
	DrainFinishes
)

// drainMargin is how long before the deadline of a drain a stream ends at the
// latest, to be off in time.
const drainMargin = time.Second

var defaultOptions = &Options{}

func (o *Options) heartbeat() time.Duration {
	d := standard(o.Heartbeat, 20*time.Second)
	return d - chance(d/8)
}

func (o *Options) life() time.Duration {
	d := standard(o.MaxAge, 10*time.Minute)
	return d - chance(d/5)
}

// haste is how soon a client is to come back.
type haste uint8

const (
	usual haste = iota
	soon        // nothing is wrong
	late        // there is too much to do
)

// pause is how long a client is to wait; 0 leaves that to it.
func (o *Options) pause(h haste) time.Duration {
	d := standard(o.Retry, 2*time.Second)
	if d >= never {
		return 0
	}
	d = min(d, 24*time.Hour)
	switch h {
	case soon:
		return d/4 + chance(d/4)
	case late:
		d = d * 5 / 2
		return d + chance(d)
	default:
		return d + chance(d*3/2)
	}
}

// hello is what comes first: it makes proxies pass the head on.
func (o *Options) hello() []byte {
	if d := o.pause(usual); d > 0 {
		return append(appendRetry(nil, d), '\n')
	}
	return heartbeat
}

// goodbye is what comes last when the server ends a stream. Who comes back while
// it drains had better wait; but for one that was too old there is no reason to,
// and those that are in between when a server fails are few.
func (o *Options) goodbye(cause error) []byte {
	h := soon
	if cause == ErrDraining {
		h = late
	}
	if d := o.pause(h); d > 0 {
		return append(appendRetry(nil, d), '\n')
	}
	return nil
}

// never is longer than a process runs.
const never = time.Duration(1 << 62)

// standard returns d, the default if it is zero, and never if it is negative.
func standard(d, value time.Duration) time.Duration {
	switch {
	case d < 0:
		return never
	case d == 0:
		return value
	}
	return d
}

// chance returns something between nothing and d, but 0 for what is part of never.
func chance(d time.Duration) time.Duration {
	if d >= never/8 {
		return 0
	}
	return rand.N(d + 1)
}

// Why a stream has ended that the application did not end, besides
// asgi.ErrDisconnected.
var (
	// ErrDraining says that the server is about to stop.
	ErrDraining = errors.New("sse: the server is about to stop")

	// ErrTooOld says that the stream has lasted as long as Options.MaxAge allows.
	// The client comes back.
	ErrTooOld = errors.New("sse: the stream has lasted long enough")
)

// Source is the application's end of a Stream.
type Source interface {
	// StreamWritable says that Stream.Congested was true and is no longer.
	StreamWritable()

	// StreamEnded says that the stream is over, for a reason that is not the
	// application's: ErrTooOld, ErrDraining, or asgi.ErrDisconnected.
	StreamEnded(cause error)
}

// Stream is an event stream in event form, as the response to one request. It
// keeps the connection alive, ends it in good time, and is the exchange's
// receiver:
//
//	func (n *news) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
//		r := &reader{news: n}
//		stream, ok := sse.Open(scope, x, nil, r)
//		if !ok {
//			return nil
//		}
//		n.readers.add(r, stream)
//		return stream
//	}
//
// Loop-owned: call only from its event loop.
type Stream struct {
	x      asgi.Exchange
	o      *Options
	source Source
	clock  clock
	life   *life // nil until somebody asks
	spoke  bool  // since the last heartbeat
	over   bool
}

// life is the context of a stream.
type life struct {
	ctx context.Context
	end context.CancelCauseFunc
}

var noStore = asgi.Header{Name: "cache-control", Value: "no-store"}

// basicHeaders are those of a stream. What compresses on the way would hold events back,
// and must not (https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.6).
var basicHeaders = []asgi.Header{
	{Name: "content-type", Value: "text/event-stream"},
	{Name: "cache-control", Value: "no-store, no-transform"},
	{Name: "x-accel-buffering", Value: "no"}, // nginx would hold events back
}

var plainStart = &asgi.HTTPResponseStart{Status: http.StatusOK, Headers: basicHeaders}

// start is the beginning of a response.
func start(more []asgi.Header) *asgi.HTTPResponseStart {
	if len(more) == 0 {
		return plainStart
	}
	return &asgi.HTTPResponseStart{Status: http.StatusOK, Headers: slices.Concat(basicHeaders, more)}
}

var heartbeat = []byte(":\n\n")

// Open answers a request with a stream. It sends the head of the response and a
// retry field at once, so that the client knows it has come through. source is
// told what comes later, never by the Stream's methods. o is not copied; nil is all
// defaults.
//
// ok is false if there is nothing to stream, and the request is answered: one for
// the head alone (HEAD), one of a browser that comes back after the last event of
// Finish, which gets 204 so that it stops, and one for which the server has
// refused Options.Headers.
func Open(scope *asgi.Scope, x asgi.Exchange, o *Options, source Source) (s *Stream, ok bool) {
	if o == nil {
		o = defaultOptions
	}
	if answered(scope, x, o) {
		return nil, false
	}
	s = &Stream{}
	return s, s.open(x, o, source)
}

// answered answers requests that want no stream.
func answered(scope *asgi.Scope, x asgi.Exchange, o *Options) bool {
	return finished(scope, x, o) || headOnly(scope, x, o)
}

// finished answers browsers that have seen the end of a stream: upon 204 they do
// not come back any more.
//
// See https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model.
func finished(scope *asgi.Scope, x asgi.Exchange, o *Options) bool {
	if LastEventID(scope) != finalID {
		return false
	}
	_ = handlers.Respond(x, http.StatusNoContent, nil, slices.Concat([]asgi.Header{noStore}, o.Headers)...)
	return true
}

func headOnly(scope *asgi.Scope, x asgi.Exchange, o *Options) bool {
	if scope.Method != http.MethodHead {
		return false
	}
	_ = handlers.Respond(x, http.StatusOK, nil, slices.Concat(basicHeaders, o.Headers)...)
	return true
}

func (s *Stream) open(x asgi.Exchange, o *Options, source Source) (ok bool) {
	s.x, s.o, s.source = x, o, source
	if err := x.Send(start(o.Headers)); err != nil && !errors.Is(err, asgi.ErrDisconnected) {
		s.over = true
		x.End(err)
		return false
	}
	s.spoke = true
	_ = s.write(o.hello(), asgi.DuringSend)
	s.clock.left = o.life()
	s.clock.arm(x, o, s.tick)
	return true
}

// Send sends an event. It never blocks; see Congested. Errors: a *FieldError,
// ErrDisconnected once the client is gone, and nil after the stream's end, where
// nothing is sent any more.
func (s *Stream) Send(e *Event) error {
	p, err := e.Append(nil)
	if err != nil {
		return err
	}
	return s.SendEncoded(p)
}

// SendEncoded sends what Event.Append has made: one or more whole events. p is not
// retained.
func (s *Stream) SendEncoded(p []byte) error {
	return s.send(p, asgi.DuringSend)
}

// SendImmutable is SendEncoded for a p that does not change any more, and may be
// retained: what many streams get is not copied for each.
func (s *Stream) SendImmutable(p []byte) error { return s.send(p, asgi.Immutable) }

func (s *Stream) send(p []byte, l asgi.Lifetime) error {
	if s.over {
		return nil
	}
	s.spoke = true
	return s.write(p, l)
}

// bodies are spare events: a server retains none.
var bodies = sync.Pool{New: func() any { return &asgi.HTTPResponseBody{MoreBody: true} }}

func (s *Stream) write(p []byte, l asgi.Lifetime) error {
	b := bodies.Get().(*asgi.HTTPResponseBody)
	b.Body, b.Lifetime = p, l
	err := s.x.Send(b)
	b.Body = nil
	bodies.Put(b)
	return err
}

// Congested reports whether the client is slower than what is sent. Whoever then
// waits for Source.StreamWritable before sending more has the server hold no more for
// this client than a bounded outbox does. It is true once the stream is over.
func (s *Stream) Congested() bool { return s.over || s.x.Congested() }

// Over reports whether the stream has ended.
func (s *Stream) Over() bool { return s.over }

// Context returns a context that is cancelled when the stream is over, with
// the cause that Source.StreamEnded gets, for what is done elsewhere on its behalf.
func (s *Stream) Context() context.Context {
	if s.life == nil {
		ctx, end := context.WithCancelCause(context.Background())
		s.life = &life{ctx, end}
		if s.over {
			end(nil)
		}
	}
	return s.life.ctx
}

// End ends the stream in good order, after a last event if that is not nil. A
// browser comes back after it; see Finish.
func (s *Stream) End(last *Event) error {
	var p []byte
	if last != nil {
		var err error
		if p, err = last.Append(nil); err != nil {
			return err
		}
	}
	s.finish(p)
	return nil
}

// finalID is the ID of the last event of a stream that is over for good.
const finalID = "end"

// final is that event. It has data, and so is dispatched, for browsers that take
// no ID from an event without.
var final = []byte("id: " + finalID + "\nevent: end\ndata: {}\n\n")

// Finish ends the stream for good: with an event of the type "end", for which a
// page may listen to close its EventSource. One that does not comes back, as
// browsers do, and is told not to by Open.
func (s *Stream) Finish() { s.finish(final) }

// finish ends the stream after p, in the application's name.
func (s *Stream) finish(p []byte) {
	if !s.over {
		s.stop(nil)
		_ = s.x.Send(&asgi.HTTPResponseBody{Body: p})
	}
}

func (s *Stream) stop(cause error) {
	s.over = true
	if s.life != nil {
		s.life.end(cause)
	}
}

// expire ends the stream in the server's name.
func (s *Stream) expire(cause error) {
	if s.over {
		return
	}
	s.stop(cause)
	_ = s.x.Send(&asgi.HTTPResponseBody{Body: s.o.goodbye(cause)})
	s.source.StreamEnded(cause)
}

// Receive implements [asgi.Receiver].
func (s *Stream) Receive(ev asgi.ReceiveEvent) {
	if s.over {
		return
	}
	switch ev := ev.(type) {
	case *asgi.Writable:
		s.source.StreamWritable()
	case *asgi.Drain:
		s.drain(ev)
	case *asgi.HTTPDisconnect:
		s.stop(asgi.ErrDisconnected)
		s.source.StreamEnded(asgi.ErrDisconnected)
	}
}

func (s *Stream) drain(d *asgi.Drain) {
	if s.o.Drain == DrainEnds {
		s.expire(ErrDraining)
		return
	}
	afterDrain(s.x, d, func() { s.expire(ErrDraining) })
}

// afterDrain calls fn shortly before the deadline of a drain, if it has one.
func afterDrain(x asgi.Exchange, d *asgi.Drain, fn func()) {
	if !d.Deadline.IsZero() {
		x.AfterFunc(time.Until(d.Deadline)-drainMargin, fn)
	}
}

func (s *Stream) tick() {
	if s.over {
		return
	}
	if s.clock.ended() {
		s.expire(ErrTooOld)
		return
	}
	if !s.spoke && !s.x.Congested() {
		_ = s.write(heartbeat, asgi.Immutable)
	}
	s.spoke = false
	s.clock.arm(s.x, s.o, s.tick)
}

// clock is the time between heartbeats, and until the end of a stream's life.
type clock struct {
	left  time.Duration // of the life, as the timer was set
	delay time.Duration // of the timer
}

// arm sets the timer.
func (c *clock) arm(x asgi.Exchange, o *Options, tick func()) {
	c.delay = min(o.heartbeat(), c.left)
	if c.delay < never/2 {
		x.AfterFunc(c.delay, tick)
	}
}

// ended takes the timer's time off the life, and reports whether that is over.
func (c *clock) ended() bool {
	c.left -= c.delay
	return c.left <= 0
}
