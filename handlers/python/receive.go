package python

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// protocolVersion is that of PROTOCOL.md.
const protocolVersion = 1

// keptBytes is how large the buffer for messages may stay.
const keptBytes = 64 << 10

// readControl acts on what the worker says, until its control socket ends.
func (w *worker) readControl() {
	err := w.readMessages()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // it is gone, and somebody else holds the socket
	case errors.Is(err, errMessage):
		w.fail(err)
	default: // the worker is ending, or as good as dead
		timer := time.AfterFunc(exitTime, func() { w.process.Kill(errHungUp) })
		defer timer.Stop()
		<-w.reaped
	}
}

var errMessage = errors.New("control")

func (w *worker) readMessages() error {
	var head [4]byte
	var buf []byte
	for {
		if _, err := io.ReadFull(w.control.conn, head[:]); err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(head[:])
		if n > wire.MaxMessageBytes {
			return fmt.Errorf("%w: a message of %d bytes", errMessage, n)
		}
		if uint32(cap(buf)) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(w.control.conn, buf); err != nil {
			return err
		}
		if err := w.message(buf); err != nil {
			return fmt.Errorf("%w: %w", errMessage, err)
		}
		if cap(buf) > keptBytes {
			buf = nil // a large message is rare
		}
	}
}

// message acts on the frames of a message.
func (w *worker) message(p []byte) error {
	r := wire.NewReader(p)
	for range r.Frames() {
		frame, err := r.Control()
		if err == nil {
			err = w.receive(frame)
		}
		if err != nil {
			return err
		}
	}
	if r.Rest() > 0 {
		return errors.New("there is more than the frames of a message")
	}
	return r.Err()
}

// receive acts on one frame.
func (w *worker) receive(frame any) error {
	switch f := frame.(type) {
	case *wire.Ready:
		return w.ready(f)
	case *wire.Failed:
		return w.greeted(&StartError{Kind: f.Kind, Message: f.Message, Trace: f.Trace, Advice: f.Advice, Output: string(w.said.Bytes())})
	case *wire.Pong:
		w.pong(time.Duration(f.Blocked * float64(time.Second)))
	case *wire.Blocked:
		w.log.Warn("python: a worker's event loop is blocked", "seconds", f.Seconds, "path", f.Path)
		logLines(w.log, f.Stack)
	case *wire.Call:
		w.calls.start(f)
	case *wire.Result:
		w.jobs.settle(f)
	case *wire.Stopped:
		if f.Lifespan != "" {
			w.log.Error("python: the application failed to shut down", "reason", f.Lifespan)
		}
	}
	return nil
}

// ready takes what the worker says about itself.
func (w *worker) ready(f *wire.Ready) error {
	switch {
	case f.Version != protocolVersion:
		return fmt.Errorf("it speaks version %d of the protocol", f.Version)
	case f.Mode != "asgi" && f.Mode != "wsgi":
		return errors.New("it has an application of an unknown kind")
	}
	if !w.spoke.Load() { // else it is an error, and others read w.info
		w.info = info{f.Python, f.Implementation, f.Mode, f.Loop, f.Lifespan, f.Jobs}
		w.jobs.add(f.Jobs)
	}
	return w.greeted(nil)
}

// greeted passes on what the worker says first.
func (w *worker) greeted(err error) error {
	if !w.spoke.CompareAndSwap(false, true) {
		return errors.New("it says twice that it is ready")
	}
	w.greeting <- err
	return nil
}
