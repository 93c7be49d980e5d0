package python

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// maxMessageBytes bounds a message, and maxTextBytes what is kept of a text in it.
const (
	maxMessageBytes = 1 << 20
	maxTextBytes    = 64 << 10
)

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
		if n > maxMessageBytes {
			return fmt.Errorf("%w: a message of %d bytes", errMessage, n)
		}
		if uint32(cap(buf)) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(w.control.conn, buf); err != nil {
			return err
		}
		if err := decodeMessage(buf, w.receive); err != nil {
			return fmt.Errorf("%w: %w", errMessage, err)
		}
		if cap(buf) > maxTextBytes {
			buf = nil // a large message is rare
		}
	}
}

// receive acts on one frame.
func (w *worker) receive(frame any) error {
	switch f := frame.(type) {
	case readyFrame:
		w.info = f.info
		w.jobs.announce(f.info.Jobs, false)
		return w.greeted(nil)
	case failedFrame:
		return w.greeted(&StartError{Kind: f.kind, Message: f.message, Trace: f.trace, Advice: f.advice, Output: string(w.said.Bytes())})
	case pongFrame:
		w.pong(time.Duration(f.blocked * float64(time.Second)))
	case blockedFrame:
		w.log.Warn("python: a worker's event loop is blocked", "seconds", f.seconds, "path", f.path)
		logLines(w.log, f.stack)
	case callFrame:
		w.calls.start(f)
	case resultFrame:
		w.jobs.settle(f)
	case stoppedFrame:
		if f.lifespan != "" {
			w.log.Error("python: the application failed to shut down", "reason", f.lifespan)
		}
	default:
		return errors.New("an unknown frame")
	}
	return nil
}

// greeted passes on what the worker says first.
func (w *worker) greeted(err error) error {
	if !w.spoke.CompareAndSwap(false, true) {
		return errors.New("it says twice that it is ready")
	}
	w.greeting <- err
	return nil
}
