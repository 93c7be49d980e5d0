package python

import (
	"bytes"
	"fmt"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// codeRestart is the code of a close because of a restart
// (https://www.iana.org/assignments/websocket/websocket.xhtml).
const codeRestart = 1012

// webSocket is a WebSocket that an ASGI application serves.
//
// Loop-owned: call only from the loop of its exchange.
type webSocket struct {
	spoken
	scope    *asgi.Scope // until the worker has it
	begun    bool
	accepted bool
	denying  bool    // a response in place of the handshake has begun
	waiter   *waiter // while there is no worker
	parts    []byte  // of a message that has more; else nil
	isText   bool    // parts are

	message asgi.WebSocketSend
}

func (w *webSocket) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.WebSocketConnect:
		if w.link != nil {
			w.send()
		}
	case *asgi.WebSocketReceive:
		if !w.finished {
			w.carry(cargoOf(ev.Kind), ev.Data, false)
		}
	case *asgi.WebSocketDisconnect:
		w.h.waiting.leave(w.waiter)
		if w.begun {
			w.gone(ev.Code, ev.Reason)
		}
		w.finished = true
	case *asgi.Writable:
		w.settle()
	case *asgi.Drain:
		w.h.drain(ev)
	}
}

func cargoOf(kind asgi.MessageKind) cargo {
	if kind == asgi.Text {
		return textCargo
	}
	return binaryCargo
}

// send gives the WebSocket to the worker.
func (w *webSocket) send() {
	w.begun = true
	w.begin(w)
}

func (w *webSocket) announce(out *wire.Batch, sid uint32) bool {
	ok := out.WebSocket(sid, w.scope)
	w.scope = nil
	return ok
}

func (w *webSocket) tooLarge() {
	if !w.finished {
		w.finish()
		w.refuse(431, "the fields of the request are too large\n")
	}
}

func (w *webSocket) frame(f *wire.Frame) {
	if w.finished {
		return
	}
	var err error
	switch {
	case f.Kind == wire.Accept:
		w.answered()
		w.accepted = true
		err = w.x.Send(&asgi.WebSocketAccept{Subprotocol: f.Subprotocol, Headers: f.Headers})
	case f.Kind == wire.Send:
		err = w.part(f)
	case f.Kind == wire.Close:
		w.finish()
		err = w.x.Send(&asgi.WebSocketClose{Code: f.Code, Reason: f.Reason})
	case f.Kind == wire.Deny:
		w.answered()
		w.denying = true
		if err = w.x.Send(&asgi.WebSocketDenialStart{Status: f.Status, Headers: f.Headers}); err == nil {
			err = w.denial(f)
		}
	case f.Kind == wire.Chunk && w.denying:
		err = w.denial(f)
	case f.Kind == wire.Took:
		w.credit(f.N)
	case f.Kind == wire.End:
		w.end(f.Reason)
	default:
		err = &protocolError{fmt.Sprintf("a frame of kind %d for a WebSocket", f.Kind)}
	}
	if err != nil {
		w.refused(err, nil)
	}
}

// part sends a message, if this is the last part of it.
func (w *webSocket) part(f *wire.Frame) error {
	if w.parts != nil && f.IsText != w.isText {
		return &protocolError{"a message of two types"}
	}
	n := len(f.Data)
	p := f.Data
	if f.More || w.parts != nil {
		if int64(len(w.parts)+n) > w.h.config.MaxMessageBytes {
			return fmt.Errorf("python: the application sends a message of more than %d bytes", w.h.config.MaxMessageBytes)
		}
		w.isText = f.IsText
		if w.parts == nil {
			w.parts = []byte{}
		}
		w.parts = append(w.parts, p...)
		if f.More {
			return w.owe(n)
		}
		p, w.parts = w.parts, nil
	}
	w.message.Kind, w.message.Data = asgi.Binary, p
	if f.IsText {
		w.message.Kind = asgi.Text
	}
	err := w.x.Send(&w.message)
	w.message.Data = nil
	if err == nil {
		err = w.owe(n)
	}
	return err
}

// denial sends a piece of the response in place of the handshake.
func (w *webSocket) denial(f *wire.Frame) error {
	n, more := len(f.Data), f.More
	if !more {
		w.finish()
	}
	err := w.x.Send(&asgi.WebSocketDenialBody{Body: bytes.Clone(f.Data), MoreBody: more})
	if err == nil && more {
		err = w.owe(n)
	}
	return err
}

// end ends the exchange of an application that has ended before it closed.
func (w *webSocket) end(reason string) {
	w.finish()
	if w.accepted && w.worker.stopping() { // the end of its time, and not its own
		_ = w.x.Send(&asgi.WebSocketClose{Code: codeRestart, Reason: "the application is replaced"})
		return
	}
	if reason == "" {
		w.x.End(nil)
		return
	}
	w.x.End(&ApplicationError{reason})
}

func (w *webSocket) broken() {
	if w.finished {
		return
	}
	w.finish()
	if w.accepted {
		_ = w.x.Send(&asgi.WebSocketClose{Code: codeRestart, Reason: "the application has ended unexpectedly"})
		return
	}
	w.refuse(502, "the application has ended unexpectedly\n")
}

// refuse answers a handshake with a response.
func (w *webSocket) refuse(status int, text string) {
	err := w.x.Send(&asgi.WebSocketDenialStart{Status: status, Headers: []asgi.Header{{Name: "content-type", Value: "text/plain; charset=utf-8"}}})
	if err == nil {
		err = w.x.Send(&asgi.WebSocketDenialBody{Body: []byte(text)})
	}
	if err != nil {
		w.x.End(nil) // 403
	}
}
