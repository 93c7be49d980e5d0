package python

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// errWorkerDied is why a response is cut whose worker is gone.
var errWorkerDied = errors.New("python: the worker died")

// ApplicationError says that an application has failed at a request. Its traceback is in
// the worker's output.
type ApplicationError struct{ Reason string }

// Error is the application's reason.
func (e *ApplicationError) Error() string { return "python: the application failed: " + e.Reason }

// request is an HTTP request that an ASGI application answers.
//
// Loop-owned: call only from the loop of its exchange.
type request struct {
	spoken
	scope   *asgi.Scope // until the worker has it
	first   []byte      // of the body, the piece that goes with the request; until then
	whole   bool        // it is all of the body
	begun   bool        // the worker has it
	started bool        // the head of the response is there
	more    bool        // trailers follow the body
	file    bool        // the worker waits for a file to be taken
	waiter  *waiter     // while there is no worker

	start asgi.HTTPResponseStart
	piece asgi.HTTPResponseBody
}

func (r *request) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.HTTPRequest:
		switch {
		case r.finished:
		case r.begun:
			r.carry(bodyCargo, ev.Body, ev.MoreBody)
		default:
			r.send(ev.Body, ev.MoreBody)
		}
	case *asgi.HTTPDisconnect:
		r.h.waiting.leave(r.waiter)
		if r.begun {
			r.gone(0, "")
		}
		r.finished = true
	case *asgi.Writable:
		r.writable()
	case *asgi.Drain:
		r.h.drain(ev)
	}
}

// send gives the request to the worker, with the first piece of its body.
func (r *request) send(body []byte, more bool) {
	r.begun = true
	n := min(len(body), wire.PieceBytes)
	r.first, r.whole = body[:n], !more && n == len(body)
	if r.loop != nil {
		r.first = bytes.Clone(r.first)
	}
	r.hold(n)
	r.begin(r)
	if n < len(body) && !r.finished {
		r.carry(bodyCargo, body[n:], more)
	}
}

func (r *request) announce(out *wire.Batch, sid uint32) bool {
	ok := out.Request(sid, r.scope, r.first, !r.whole)
	r.scope, r.first = nil, nil
	return ok
}

func (r *request) tooLarge() {
	if !r.finished {
		r.finish()
		_ = handlers.Respond(r.x, 431, []byte("the fields of the request are too large\n"))
	}
}

func (r *request) frame(f *wire.Frame) {
	if r.finished {
		return
	}
	var err error
	switch f.Kind {
	case wire.Response:
		if err = r.head(f, false); err == nil {
			r.last(f.Data)
		}
	case wire.Start:
		if err = r.head(f, f.HasTrailers); err == nil && len(f.Data) > 0 {
			err = r.chunk(f.Data)
		}
	case wire.Chunk:
		switch {
		case !r.started:
			err = &protocolError{"a chunk before the head"}
		case f.More:
			err = r.chunk(f.Data)
		default:
			err = r.lastChunk(f.Data)
		}
	case wire.Trailers:
		err = r.trailers(f)
	case wire.Hint:
		err = r.x.Send(&asgi.HTTPEarlyHint{Links: f.Links})
	case wire.File:
		err = r.sendFile(f)
	case wire.Took:
		r.credit(f.N)
	case wire.End:
		r.end(f.Reason)
	default:
		err = &protocolError{fmt.Sprintf("a frame of kind %d for a request", f.Kind)}
	}
	if err != nil {
		r.refused(err, nil)
	}
}

func (r *request) head(f *wire.Frame, trailers bool) error {
	if r.started {
		return &protocolError{"a second head"}
	}
	r.started, r.more = true, trailers
	r.answered()
	r.start = asgi.HTTPResponseStart{Status: f.Status, Headers: f.Headers, Trailers: trailers}
	err := r.x.Send(&r.start)
	r.start.Headers = nil
	return err
}

// last sends the end of the body, and with it of the response.
func (r *request) last(p []byte) {
	r.piece = asgi.HTTPResponseBody{Body: p}
	r.finish()
	err := r.x.Send(&r.piece)
	r.piece.Body = nil
	if err != nil && !errors.Is(err, asgi.ErrDisconnected) {
		r.x.End(err)
	}
}

func (r *request) chunk(p []byte) error {
	r.piece = asgi.HTTPResponseBody{Body: p, MoreBody: true}
	err := r.x.Send(&r.piece)
	r.piece.Body = nil
	if err == nil {
		err = r.owe(len(p))
	}
	return err
}

func (r *request) lastChunk(p []byte) error {
	if !r.more {
		r.last(p)
		return nil
	}
	r.piece = asgi.HTTPResponseBody{Body: p}
	err := r.x.Send(&r.piece)
	r.piece.Body = nil
	return err
}

func (r *request) trailers(f *wire.Frame) error {
	if !f.More {
		r.finish()
	}
	return r.x.Send(&asgi.HTTPResponseTrailers{Headers: f.Headers, MoreTrailers: f.More})
}

// sendFile sends a piece of the body from a file of the worker, or ends the response with
// a file by its path.
func (r *request) sendFile(f *wire.Frame) error {
	if !r.started {
		return &protocolError{"a file before the head"}
	}
	if f.Path != "" {
		r.finish()
		return r.x.Send(&asgi.HTTPResponsePathSend{Path: f.Path})
	}
	file, err := r.worker.openFile(f.FD)
	if err != nil { // the worker sends it as any other piece
		r.taken(false)
		return nil
	}
	err = r.x.Send(&asgi.HTTPResponseZeroCopySend{File: file, Offset: f.Offset, Count: f.Count, MoreBody: f.More})
	_ = file.Close()
	if err != nil {
		return err
	}
	if r.file = r.x.Congested(); !r.file {
		r.taken(true)
	}
	return nil
}

// writable goes on with what has waited for room.
func (r *request) writable() {
	if r.finished {
		return
	}
	if r.file {
		r.file = false
		r.taken(true)
	}
	r.settle()
}

// end ends the exchange of an application that has ended before its response did.
func (r *request) end(reason string) {
	r.finish()
	if reason == "" {
		r.x.End(nil)
		return
	}
	r.x.End(&ApplicationError{reason})
}

func (r *request) broken() {
	if r.finished {
		return
	}
	r.finish()
	if r.started {
		r.x.End(errWorkerDied)
		return
	}
	_ = handlers.Respond(r.x, 502, []byte("the application has ended unexpectedly\n"))
	r.x.End(nil)
}

// errNoFile says that gale cannot open what the worker has open.
var errNoFile = errors.New("python: no regular file")

// regular opens a file by the name that the system has for the descriptor of a process.
func regular(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is not waited for
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = file.Close()
		return nil, errNoFile
	}
	return file, nil
}
