package cgi

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

// run is one run of a program, on a worker of the class.
type run struct {
	h      *Handler
	scope  *asgi.Scope
	path   string  // of the request, below the mount
	target *target // nil if it is not yet looked up
	body   *body

	out      output
	stderr   lineLog
	piece    *piece // what is read and not yet sent
	begun    bool   // the start of the response is sent, or in piece
	began    time.Time
	took     time.Duration // from the start of the program to its end
	written  int64         // bytes of output and errors that were read
	deadline time.Time     // of what is waited for; zero for none
}

// ending is what a run comes to.
type ending struct {
	last  *piece
	local string // of a local redirect
}

// piece is a part of a response.
type piece struct {
	start    *asgi.HTTPResponseStart // nil if it was sent before
	from, to int                     // the body's part of bytes
	bytes    [pieceBytes]byte
}

// pieceBytes is what is read at a time: a whole pipe.
const pieceBytes = 64 << 10

var pieces = sync.Pool{New: func() any { return new(piece) }}

func newPiece() *piece {
	p := pieces.Get().(*piece)
	p.start, p.from, p.to = nil, 0, 0
	return p
}

// send sends the piece and gives its memory back.
func (p *piece) send(ctx context.Context, send asgi.Send, more bool) error {
	if p.start != nil {
		if err := send(ctx, p.start); err != nil {
			return err
		}
	}
	err := send(ctx, &asgi.HTTPResponseBody{Body: p.bytes[p.from:p.to], MoreBody: more})
	if err == nil {
		pieces.Put(p)
	}
	return err
}

// linger is how long a piece waits for more: most programs end right after they have
// written, and then the whole response is one piece with its length.
const linger = 10 * time.Millisecond

// perform is the job of a run. It returns when the program is reaped.
func (r *run) perform(ctx context.Context) (any, error) {
	if !r.body.hold() {
		return nil, asgi.ErrDisconnected
	}
	defer r.body.release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := r.h.enter(r, cancel); err != nil {
		return nil, err
	}
	defer r.h.leave(r)
	p, err := r.start()
	if err != nil {
		return nil, err
	}
	timeout := time.AfterFunc(r.h.cfg.Timeout, func() { cancel(errTimeout) })
	defer timeout.Stop()
	stop := context.AfterFunc(ctx, func() { p.terminate(r.h.cfg.KillGrace) })
	defer stop()

	err = r.relay(ctx, p)
	if err != nil {
		p.terminate(r.h.cfg.KillGrace)
	}
	status := p.finish()
	r.stderr.flush()
	switch {
	case ctx.Err() != nil: // which may be why it has ended as it did
		err = context.Cause(ctx)
	case err == nil:
		err = r.judge(status)
		r.h.pace.note(r.target.file, r.took, r.written)
	}
	if err != nil {
		return nil, r.failure(err)
	}
	return r.ending(), nil
}

// start starts the program.
func (r *run) start() (*process, error) {
	if r.target == nil {
		t, err := r.h.find(r.path)
		if err != nil {
			return nil, err
		}
		r.target = &t
	}
	env, err := r.h.environ(r.scope, *r.target, r.body.length())
	if err != nil {
		return nil, err
	}
	stdin, own, err := r.body.stdin()
	if err != nil {
		return nil, r.failure(err)
	}
	if own {
		defer stdin.Close()
	}
	name := r.name()
	r.stderr = lineLog{log: r.h.cfg.Logger, script: name, left: r.h.cfg.MaxStderrBytes}
	r.out = output{
		head:    r.scope.Method == "HEAD",
		nph:     isNPH(r.target.file),
		maxHead: r.h.cfg.MaxHeadBytes,
		maxBody: r.h.cfg.MaxOutputBytes,
	}
	p, err := start(&r.h.epolls, command{file: r.target.file, dir: filepath.Dir(r.target.file), env: env, stdin: stdin, limits: r.h.cfg.Limits})
	if err != nil {
		return nil, r.failure(&startError{err})
	}
	r.began = time.Now()
	r.deadline = later(r.h.cfg.HeaderTimeout)
	return p, nil
}

// name is what the log calls the program.
func (r *run) name() string {
	if r.target != nil && r.target.name != "" {
		return r.target.name
	}
	return r.h.cfg.Script
}

func isNPH(file string) bool {
	name := filepath.Base(file)
	return len(name) > 4 && name[:4] == "nph-"
}

// later is the time after d, or zero for no limit.
func later(d time.Duration) time.Time {
	if d == noLimit {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// relay passes on what the program writes, until it has ended or its time is over.
func (r *run) relay(ctx context.Context, p *process) error {
	if err := r.waitBriefly(p); err != nil {
		return err
	}
	for p.stdout >= 0 || !p.exited {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !r.deadline.IsZero() && !time.Now().Before(r.deadline):
			return r.late(p)
		}
		until, lingers := r.deadline, r.lingers()
		if soon := time.Now().Add(linger); lingers && (until.IsZero() || soon.Before(until)) {
			until = soon
		}
		ready, err := p.wait(until)
		if err != nil {
			return err
		}
		if ready.stderr {
			if err := r.readErrors(p); err != nil {
				return err
			}
		}
		if ready.exited {
			r.ended()
		}
		switch {
		case ready.stdout:
			err = r.readOutput(ctx, p)
		case lingers && !ready.any():
			err = r.flush(ctx)
		}
		if err != nil {
			return err
		}
	}
	return r.drainErrors(p)
}

// waitBriefly waits for the end of a program that is known to end soon.
func (r *run) waitBriefly(p *process) error {
	patience := r.h.pace.patience(r.target.file)
	if patience == 0 {
		return nil
	}
	until := r.began.Add(patience)
	if !r.deadline.IsZero() && r.deadline.Before(until) {
		until = r.deadline
	}
	err := p.waitEnd(until)
	if p.exited {
		r.ended()
	}
	return err
}

// ended notes that the program has.
func (r *run) ended() {
	r.took = time.Since(r.began)
	r.deadline = later(r.h.cfg.KillGrace)
}

// lingers reports whether there is something to send that waits for more.
func (r *run) lingers() bool {
	return r.piece != nil && r.out.replied() && r.out.reply.local == "" && (r.piece.to > r.piece.from || !r.begun && !r.out.reply.bare)
}

// late says what becomes of a run when what is waited for has not come.
func (r *run) late(p *process) error {
	switch {
	case p.exited:
		r.h.cfg.Logger.Warn("cgi: output is held open by another process and is no longer read", "script", r.name())
	case p.stdout < 0:
		r.h.cfg.Logger.Warn("cgi: program has closed its output and is ended", "script", r.name())
		p.terminate(r.h.cfg.KillGrace)
	default:
		return errHeaderTimeout
	}
	return nil
}

// readOutput reads once.
func (r *run) readOutput(ctx context.Context, p *process) error {
	if r.piece == nil {
		r.piece = newPiece()
	}
	n, err := p.readOutput(r.piece.bytes[r.piece.to:])
	if err != nil {
		return err
	}
	if n == 0 {
		r.deadline = later(r.h.cfg.KillGrace) // for the program's end
		return nil
	}
	r.written += int64(n)
	head, body, err := r.out.feed(r.piece.bytes[r.piece.to : r.piece.to+n])
	switch {
	case err != nil:
		return err
	case !r.out.replied():
		return nil // the machine has taken it
	case !p.exited:
		r.deadline = time.Time{}
	}
	if head > 0 {
		r.piece.from = head
		r.piece.to = head
	}
	if r.piece.to += len(body); r.piece.to == pieceBytes {
		return r.flush(ctx)
	}
	return nil
}

// flush sends what was read, and blocks while the client is slow.
func (r *run) flush(ctx context.Context) error {
	out := r.take()
	return executor.Report(ctx, executor.Progress{Partial: out})
}

// take takes the piece, with the start of the response if it is the first.
func (r *run) take() *piece {
	out := r.piece
	r.piece = nil
	if out == nil {
		out = newPiece()
	}
	if !r.begun {
		r.begun = true
		out.start = &asgi.HTTPResponseStart{Status: r.out.reply.status, Headers: r.out.reply.headers}
	}
	return out
}

// readErrors reads the standard error once.
func (r *run) readErrors(p *process) error {
	var buf [4 << 10]byte
	n, err := p.readErrors(buf[:])
	r.stderr.write(buf[:n])
	r.written += int64(n)
	return err
}

// drainErrors reads what is left of the standard error.
func (r *run) drainErrors(p *process) error {
	for p.stderr >= 0 {
		if ready, err := p.wait(time.Now()); err != nil || !ready.stderr {
			return err
		}
		if err := r.readErrors(p); err != nil {
			return err
		}
		if r.stderr.left <= 0 { // a process that is left behind may write for ever
			return nil
		}
	}
	return nil
}

// judge says whether what the program has written is a whole response.
func (r *run) judge(status syscall.WaitStatus) error {
	if err := r.out.end(); err != nil {
		if status.Signaled() {
			return fmt.Errorf("%w; it was ended by a signal: %v", err, status.Signal())
		}
		return err
	}
	whole := r.out.reply.bare || r.out.reply.length >= 0 || r.out.reply.local != ""
	if status.Signaled() && !whole && r.took > 0 {
		return fmt.Errorf("ended by a signal: %v", status.Signal())
	}
	if r.out.excess {
		r.h.cfg.Logger.Warn("cgi: program writes more than its Content-Length says", "script", r.name())
	}
	if status.Exited() && status.ExitStatus() != 0 {
		r.h.cfg.Logger.Warn("cgi: program failed", "script", r.name(), "exit", status.ExitStatus())
	}
	return nil
}

func (r *run) ending() *ending {
	if r.out.reply.local != "" {
		return &ending{local: r.out.reply.local}
	}
	return &ending{last: r.take()}
}

// failure is why a run failed, with the status that answers the request.
func (r *run) failure(err error) error {
	var own *Error
	var begin *startError
	status := 502
	switch {
	case errors.Is(err, asgi.ErrDisconnected), errors.Is(err, context.Canceled), errors.As(err, &own):
		return err
	case errors.Is(err, errHeaderTimeout), errors.Is(err, errTimeout):
		status = 504
	case errors.As(err, &begin):
		status = begin.status()
	}
	return &Error{Script: r.name(), Status: status, Err: err}
}

// startError says why a program could not be started.
type startError struct{ err error }

func (e *startError) Error() string { return fmt.Sprintf("cannot be started: %v", e.err) }
func (e *startError) Unwrap() error { return e.err }

func (e *startError) status() int {
	switch {
	case errors.Is(e.err, syscall.E2BIG):
		return 431
	case errors.Is(e.err, syscall.EAGAIN), errors.Is(e.err, syscall.ENOMEM), errors.Is(e.err, syscall.EMFILE),
		errors.Is(e.err, syscall.ENFILE), errors.Is(e.err, syscall.ETXTBSY):
		return 503
	case errors.Is(e.err, syscall.EACCES):
		return 403
	}
	return 502 // no interpreter, no format that the kernel knows
}
