package nethttp

import (
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
)

// frame is a message or control frame to be written. The zero kind ends our
// stream.
type frame struct {
	kind int // gorilla.TextMessage, ...
	data []byte
}

const hangUp = 0

func (f *frame) weight() int { return len(f.data) + pieceOverhead }

// put queues a frame. Whoever it is of, above the high watermark the exchange is
// congested, and what the peer sends waits.
func (x *webSocketExchange) put(f frame) {
	if x.out.put(f, f.weight()) {
		go x.write() // ends with the outbox empty
	}
	if !x.congested && x.out.above(x.h.cfg.HighWatermark) {
		x.congested = true
	}
}

// write writes frames until there are none, on a goroutine of its own.
func (x *webSocketExchange) write() {
	for frames := x.out.take(); len(frames) > 0; frames = x.out.take() {
		for i := range frames {
			f := &frames[i]
			if f.kind == hangUp {
				x.sock.closeWrite(x.h.cfg.CloseTimeout)
				x.h.advance(&x.exchange, lingering)
				continue
			}
			if err := x.writeFrame(f); err != nil {
				x.post(x.abort)
				return
			}
			if f.kind == gorilla.CloseMessage {
				x.h.advance(&x.exchange, closing)
			}
			if x.out.wrote(f.weight(), x.h.cfg.LowWatermark) {
				x.post(x.drained)
			}
		}
	}
}

func (x *webSocketExchange) writeFrame(f *frame) error {
	deadline := time.Time{}
	if timeout := x.h.cfg.WriteTimeout; timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	switch f.kind {
	case gorilla.TextMessage, gorilla.BinaryMessage:
		_ = x.ws.SetWriteDeadline(deadline)
		return x.ws.WriteMessage(f.kind, f.data)
	}
	return x.ws.WriteControl(f.kind, f.data, deadline)
}

func (x *webSocketExchange) drained() {
	if x.congested && !x.announced {
		x.congested = false
		x.deliver(&asgi.Writable{})
		x.pump()
	}
}
