package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/sse"
)

// The measures of streams of text.
const (
	streamPause         = 50 * time.Millisecond // between two tokens, at the speed of reading
	streamMaxParagraphs = 200_000               // some 600 MB of events
	streamMaxRuns       = 1_000                 // of which the figures are kept
	streamMaxName       = 64                    // bytes of a run's name
)

// stream is the part of the demo that writes text, token by token, for whoever
// listens. The text is made up as it is sent.
type stream struct {
	text chain

	mu    sync.Mutex
	runs  map[string]*telling
	names []string // of runs, the oldest first
}

// telling is what is known of one text: all requests that go on with it count.
type telling struct {
	made  atomic.Int64 // tokens
	open  atomic.Int64 // requests that are being answered
	state atomic.Value // why the last one ended: a string
}

// How a request for text has ended.
const (
	streamRunning  = "running"
	streamFinished = "finished" // the text is told
	streamGone     = "gone"     // the client is
	streamCut      = "cut"      // by the server, which stops or finds it too old
)

func newStream() *stream {
	return &stream{text: prose(), runs: make(map[string]*telling)}
}

// mount adds the routes.
func (s *stream) mount(mux *handlers.Mux) {
	// A page that was cut off comes back as soon as it can.
	tell := sse.Coroutine(s.tell, &sse.Options{Retry: 200 * time.Millisecond})
	mux.HTTP("GET /stream/text", asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		if _, err := parseStream(scope); err != nil {
			_ = handlers.Respond(x, 400, []byte(err.Error()+"\n"), asgi.Header{Name: "content-type", Value: "text/plain; charset=utf-8"})
			return nil
		}
		return tell.Open(scope, x)
	}))
	mux.HTTP("GET /stream/figures", asgi.HandlerFunc(s.figures))
}

// streamRequest is what a client wants to be told.
type streamRequest struct {
	run        string
	seed       uint64
	paragraphs uint64
	pace       time.Duration
	at         uint64 // the paragraph to begin with
	skip       int    // so many of its tokens
}

// parseStream reads the parameters run, seed, paragraphs and pace ("reading" or
// "full"), and the place behind the last event that was seen.
func parseStream(scope *asgi.Scope) (r streamRequest, err error) {
	query, err := url.ParseQuery(scope.QueryString)
	if err != nil {
		return r, err
	}
	if r.run = query.Get("run"); r.run == "" || len(r.run) > streamMaxName {
		return r, errors.New("run is to be a name of at most 64 bytes")
	}
	number := func(name string, most uint64) (n uint64) {
		n, e := strconv.ParseUint(query.Get(name), 10, 64)
		if e != nil || n > most {
			err = errors.New(name + " is no such number")
		}
		return n
	}
	r.seed = number("seed", 1<<53)
	r.paragraphs = number("paragraphs", streamMaxParagraphs)
	switch query.Get("pace") {
	case "reading":
		r.pace = streamPause
	case "full":
	default:
		err = errors.New(`pace is to be "reading" or "full"`)
	}
	if id := sse.LastEventID(scope); id != "" && id != "end" && err == nil { // "end" is answered by package sse
		at, skip, _ := strings.Cut(id, "-")
		var errAt, errSkip error
		r.at, errAt = strconv.ParseUint(at, 10, 32)
		r.skip, errSkip = strconv.Atoi(skip)
		if errAt != nil || errSkip != nil || r.skip < 0 {
			err = errors.New("there is no such event")
		}
	}
	return r, err
}

// tell is one answer: what is left of the text. The ID of an event is the
// paragraph and how many of its tokens have been told.
func (s *stream) tell(ctx context.Context, scope *asgi.Scope, _ asgi.Receive, w *sse.Writer) error {
	r, err := parseStream(scope)
	if err != nil {
		return err // which mount has seen to
	}
	of := s.of(r.run)
	of.open.Add(1)
	defer of.open.Add(-1)
	err = s.write(ctx, w, &r, of)
	switch {
	case err == nil:
		of.state.Store(streamFinished)
	case errors.Is(context.Cause(ctx), asgi.ErrDisconnected) || errors.Is(err, asgi.ErrDisconnected):
		of.state.Store(streamGone)
	default:
		of.state.Store(streamCut)
	}
	return err
}

func (s *stream) write(ctx context.Context, w *sse.Writer, r *streamRequest, of *telling) error {
	if err := w.Start(ctx); err != nil {
		return err
	}
	skip := r.skip
	for at := r.at; at < r.paragraphs; at++ {
		tokens := s.text.paragraph(r.seed, at)
		for i := min(skip, len(tokens)); i < len(tokens); i++ {
			if r.pace > 0 {
				if err := asgi.Sleep(ctx, r.pace); err != nil {
					return err
				}
			}
			id := strconv.FormatUint(at, 10) + "-" + strconv.Itoa(i+1)
			of.made.Add(1)
			if err := w.Send(ctx, &sse.Event{ID: id, Data: []byte(tokens[i])}); err != nil {
				return err
			}
		}
		skip = 0
	}
	return nil
}

// of returns a text by its name; it is new if nobody knows it.
func (s *stream) of(name string) *telling {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of, ok := s.runs[name]; ok {
		return of
	}
	of := new(telling)
	of.state.Store("")
	s.runs[name] = of
	if s.names = append(s.names, name); len(s.names) > streamMaxRuns {
		delete(s.runs, s.names[0])
		s.names = s.names[1:]
	}
	return of
}

// figures says how much of a run's text was made, and what became of the run.
func (s *stream) figures(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	query, _ := url.ParseQuery(scope.QueryString)
	s.mu.Lock()
	of := s.runs[query.Get("run")]
	s.mu.Unlock()
	var what struct {
		Made  int64  `json:"made"`
		State string `json:"state"` // "": nobody knows the run, or not yet
	}
	if of != nil {
		running := of.open.Load() > 0 // asked first: what follows of one that is over is final
		what.State, what.Made = of.state.Load().(string), of.made.Load()
		if running {
			what.State = streamRunning
		}
	}
	body, _ := json.Marshal(what)
	_ = handlers.Respond(x, 200, body,
		asgi.Header{Name: "content-type", Value: "application/json"},
		asgi.Header{Name: "cache-control", Value: "no-store"})
	return nil
}
