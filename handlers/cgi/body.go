package cgi

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

// body is the body of a request, kept until its program has ended: its length is known
// then, and a slow client holds no process.
type body struct {
	h       *Handler
	client  string // who takes turns with others
	present bool   // there is a body, if an empty one
	size    int64
	charged int64    // of Handler.spooled
	memory  []byte   // what is not in the file
	file    *os.File // nil while memory is enough; it has no name

	mu     sync.Mutex // guards what follows, and is never held while a disk is waited for
	held   bool       // somebody off the loop uses it
	closed bool
}

// hold keeps the body for code off the loop, which nobody waits for once the client
// has gone, until release. It is false if the body is closed already.
func (b *body) hold() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = !b.closed
	return b.held
}

func (b *body) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = false
	if b.closed {
		b.forget()
	}
}

// close forgets the body, at once or when it is released.
func (b *body) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if !b.held {
		b.forget()
	}
}

func (b *body) forget() {
	b.h.spooled.Add(-b.charged)
	if b.file != nil {
		_ = b.file.Close()
	}
}

// receiveBody receives a request's body. The caller closes it, also after an error.
func (h *Handler) receiveBody(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, b *body) error {
	declared, err := b.announced(scope)
	if err != nil {
		return err
	}
	for more := true; more; {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch e := ev.(type) {
		case *asgi.HTTPDisconnect:
			return asgi.ErrDisconnected
		case *asgi.HTTPRequest:
			if b.memory == nil && e.MoreBody {
				b.memory = make([]byte, 0, min(max(declared, 4<<10), h.cfg.SpoolMemoryBytes))
			}
			if err := b.add(ctx, e.Body); err != nil {
				return err
			}
			more = e.MoreBody
			asgi.Recycle(ctx, e)
		}
	}
	return nil
}

// announced returns the declared length, or 0, and refuses what is too large before
// it has come.
func (b *body) announced(scope *asgi.Scope) (int64, error) {
	_, chunked := scope.Header("transfer-encoding")
	value, declared := scope.Header("content-length")
	b.present = chunked || declared
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return 0, nil // the server has checked it; the body is counted as it comes
	}
	if n > b.h.cfg.MaxBodyBytes {
		return 0, errBodyTooLarge
	}
	return n, nil
}

// add keeps a piece.
func (b *body) add(ctx context.Context, p []byte) error {
	n := int64(len(p))
	if b.size += n; b.size > b.h.cfg.MaxBodyBytes {
		return errBodyTooLarge
	}
	b.charged += n
	if b.h.spooled.Add(n) > b.h.cfg.MaxSpoolBytes {
		return errSpoolFull
	}
	b.present = b.present || n > 0
	b.memory = append(b.memory, p...)
	if int64(len(b.memory)) <= b.h.cfg.SpoolMemoryBytes {
		return nil
	}
	_, err := executor.Run(ctx, b.h.cfg.Blocking, func(context.Context) (struct{}, error) {
		if !b.hold() {
			return struct{}{}, asgi.ErrDisconnected
		}
		defer b.release()
		return struct{}{}, b.spill()
	}, executor.Job{Client: b.client, Label: "cgi body"})
	return err
}

// spill writes what is in memory to the file. It blocks.
func (b *body) spill() error {
	if b.file == nil {
		f, err := os.CreateTemp(b.h.cfg.TempDir, "gale-cgi-")
		if err != nil {
			return &Error{Status: 503, Err: fmt.Errorf("keeping a body: %w", err)}
		}
		_ = os.Remove(f.Name()) // whatever happens, it is gone when it is closed
		b.file = f
	}
	if _, err := b.file.Write(b.memory); err != nil {
		return &Error{Status: 503, Err: fmt.Errorf("keeping a body: %w", err)}
	}
	b.memory = b.memory[:0]
	return nil
}

// stdin returns what the program reads. It may block. The caller closes it if it is
// its own.
func (b *body) stdin() (f *os.File, own bool, err error) {
	if b.size == 0 {
		return b.h.null, false, nil
	}
	if b.file == nil {
		if f := filledPipe(b.memory); f != nil {
			return f, true, nil
		}
	}
	if err := b.spill(); err != nil {
		return nil, false, err
	}
	if _, err := b.file.Seek(0, 0); err != nil {
		return nil, false, fmt.Errorf("keeping a body: %w", err)
	}
	return b.file, false, nil
}

// filledPipe returns the end of a pipe that has p in it and nothing behind; nil if p
// does not fit.
func filledPipe(p []byte) *os.File {
	const room = 64 << 10
	if len(p) > room {
		return nil
	}
	r, w, err := pipe()
	if err != nil {
		return nil
	}
	defer unix.Close(w)
	n := 0
	if err = unix.SetNonblock(w, true); err == nil { // it has less room if the user has many
		n, err = unix.Write(w, p)
	}
	if err != nil || n < len(p) {
		_ = unix.Close(r)
		return nil
	}
	return os.NewFile(uintptr(r), "stdin")
}

// length is CONTENT_LENGTH, or -1 for none.
func (b *body) length() int64 {
	if !b.present {
		return -1
	}
	return b.size
}
