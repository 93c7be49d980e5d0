package nethttp

import (
	"math/rand/v2"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
	"github.com/gale-server/gale/asgi/websocket"
)

// closePayload is that of a close frame; no code is 1005
// (https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1).
func closePayload(code int, reason string) ([]byte, error) {
	var m websocket.Machine
	frame, err := m.AppendClose(nil, code, reason)
	if err != nil {
		return nil, err
	}
	const header = 2 // a control frame's, without a mask
	return frame[header:], nil
}

// afterAnswers has end end the exchange for what the peer did, once the
// application has done with what the peer sent before; left says that it may be
// gone.
func (x *webSocketExchange) afterAnswers(left bool, end func()) {
	x.last = end
	if asgi.Behind(x.receiver, left, x.endLast) {
		x.arm(x.h.cfg.CloseTimeout)
	} else {
		x.endLast()
	}
}

func (x *webSocketExchange) endLast() {
	if end := x.last; end != nil {
		x.last = nil
		end()
	}
}

// peerClosed answers the peer's close and ends the connection, the server first
// (https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1).
func (x *webSocketExchange) peerClosed(code int, reason string) {
	_ = x.sendClose(code, "") // a code that the peer may use, so may we
	x.gone = true
	defer x.hangUp() // even if the application exits
	x.announce(code, reason)
}

// fail ends the connection because the peer broke a rule, or is silent.
func (x *webSocketExchange) fail(err error) {
	x.h.cfg.Logger.Debug("websocket failed", "client", x.log.client, "error", err)
	_ = x.sendClose(engine.CloseCodeOf(err), engine.ReasonOf(err))
	x.gone = true
	defer x.hangUp()
	x.announce(websocket.CloseAbnormal, err.Error())
}

// left follows the end of the peer's stream. It gets what was sent, in case it
// still reads.
func (x *webSocketExchange) left() {
	x.gone = true
	defer x.hangUp()
	x.announce(websocket.CloseAbnormal, "")
}

// departed follows the departure of the peer. The application has some time to take
// what was sent before.
func (x *webSocketExchange) departed(how leaving) {
	switch {
	case how == broken:
		x.lost()
	case !x.leaving && x.h.cfg.DepartTimeout > 0:
		x.leaving = true
		x.AfterFunc(x.h.cfg.DepartTimeout, x.untaken)
	}
}

// untaken follows the end of that time. Who has read to the end of the stream waits
// for answers only.
func (x *webSocketExchange) untaken() {
	switch {
	case x.sock == nil:
		x.lost()
	case !x.announced && x.last == nil:
		x.left()
	}
}

// hangUp ends our stream behind what was sent.
func (x *webSocketExchange) hangUp() {
	x.put(frame{kind: hangUp})
	x.arm(x.h.cfg.CloseTimeout)
}

// abort drops the connection.
func (x *webSocketExchange) abort() {
	if x.sock != nil {
		_ = x.sock.Close()
	}
	x.lost()
}

// lost follows the loss of the connection, or its end.
func (x *webSocketExchange) lost() {
	if x.over {
		return
	}
	x.gone, x.last = true, nil
	x.out.close()
	x.deny.drop()
	x.announce(websocket.CloseAbnormal, "")
	if x.silence != nil {
		x.silence.Stop()
	}
	if !x.isOpen && !x.denied {
		close(x.decided)
	}
	x.finish()
	if x.sock != nil {
		_ = x.sock.Close()
	}
}

func (x *webSocketExchange) announceDrain(d *asgi.Drain) {
	if x.announced {
		return
	}
	x.deliver(d)
	if x.isOpen {
		x.closeWithin(d)
	}
}

// closeWithin closes with 1012 at a moment of the first half of the time there
// is: clients that come back do not come all at once.
func (x *webSocketExchange) closeWithin(d *asgi.Drain) {
	spread := max(time.Until(d.Deadline)/2, 1)
	time.AfterFunc(rand.N(spread), func() {
		x.post(func() {
			if !x.over {
				_ = x.sendClose(websocket.CloseServiceRestart, "server is restarting")
			}
		})
	})
}

// arm sets the time of the next look at what the peer does; 0 is never.
func (x *webSocketExchange) arm(d time.Duration) {
	switch {
	case x.silence != nil && d > 0:
		x.silence.Reset(d)
	case x.silence != nil:
		x.silence.Stop()
	case d > 0:
		x.silence = time.AfterFunc(d, func() { x.post(x.look) })
	}
}

// overdue follows a peer that does not close in time. What was sent before our
// close is still written, as long as the peer takes it.
func (x *webSocketExchange) overdue() {
	switch {
	case !x.announced:
		x.gone = true
		x.announce(websocket.CloseAbnormal, "")
		x.hangUp()
	case x.out.buffered() > 0:
		x.arm(x.h.cfg.CloseTimeout)
	default:
		x.abort()
	}
}

// look follows a silence, a wait for life after a ping, or the wait for the
// peer's close.
func (x *webSocketExchange) look() {
	if x.over {
		return
	}
	switch {
	case x.last != nil:
		x.endLast()
		return
	case x.closeSent || x.announced:
		x.overdue()
		return
	case x.sock == nil: // the handshake is under way
		x.arm(x.h.cfg.PingInterval)
		return
	}
	cfg := &x.h.cfg
	last := x.sock.lastRead.Load()
	quiet := time.Since(time.Unix(0, last))
	switch {
	case x.held != nil: // it is we who do not read
		x.pingedAt = 0
		x.arm(cfg.PingInterval)
	case x.pingedAt > last:
		x.fail(engine.ErrSilent)
	case quiet < cfg.PingInterval:
		x.arm(cfg.PingInterval - quiet)
	default:
		now := time.Now().UnixNano() // before the ping, whose answer may be read at any time after it
		x.put(frame{kind: gorilla.PingMessage})
		if cfg.PongTimeout == 0 {
			x.arm(cfg.PingInterval)
			return
		}
		x.pingedAt = now
		x.arm(cfg.PongTimeout)
	}
}
