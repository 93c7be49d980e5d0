package chat

import (
	"errors"
	"time"

	"github.com/gale-server/gale/asgi"
)

// member is one client: the receiver of its connection.
//
// Loop-owned, but for deliver.
type member struct {
	chat *Chat
	x    asgi.Exchange
	out  outbox
	send asgi.WebSocketSend // used again for every message
	id   string             // "" before the hello; then constant
	name string             // written on the loop under the chat's lock, read under either

	rooms  map[string]*room
	hello  asgi.Timer
	rate   bucket
	faults bucket
	closed bool
}

// deliver sends a frame, which must not be changed any more. It may be called
// from any goroutine and with the lock of a room.
func (m *member) deliver(frame []byte) {
	if !m.out.put(frame, m.chat.config.MaxPendingBytes) {
		m.x.Post(m.tooSlow)
	}
}

// flush sends what waits, until the connection is congested; it goes on when
// that is over.
func (m *member) flush() {
	for !m.x.Congested() {
		frame, ok := m.out.take()
		if !ok {
			return
		}
		m.send.Data = frame
		err := m.x.Send(&m.send)
		m.send.Data = nil
		if err != nil {
			m.out.shutDown() // the peer is gone: the disconnect is on its way
			return
		}
	}
}

// Receive handles an event of the connection.
func (m *member) Receive(ev asgi.ReceiveEvent) {
	finished := false
	defer func() {
		if !finished {
			m.depart() // a panic ends the exchange without a disconnect
		}
	}()
	switch ev := ev.(type) {
	case *asgi.WebSocketConnect:
		m.accept()
	case *asgi.WebSocketReceive:
		if !m.closed {
			m.out.hold()
			m.receive(ev)
			m.flush()
		}
	case *asgi.Writable:
		m.flush()
	case *asgi.Drain:
		m.deliver(m.chat.drain)
	case *asgi.WebSocketDisconnect:
		m.closed = true
		m.depart()
	}
	finished = true
}

func (m *member) accept() {
	if m.x.Send(&asgi.WebSocketAccept{}) != nil {
		return
	}
	m.hello = m.x.AfterFunc(m.chat.config.HelloTimeout, func() { m.close(closePolicy, "no hello in time") })
}

// close sends what waits and closes, once.
func (m *member) close(code int, reason string) {
	if m.closed {
		return
	}
	m.closed = true
	m.depart()
	m.flush()
	m.out.shutDown()
	_ = m.x.Send(&asgi.WebSocketClose{Code: code, Reason: reason})
}

func (m *member) tooSlow()  { m.close(closeTooSlow, "too slow: too much waits for you") }
func (m *member) replaced() { m.close(closeReplaced, "a newer connection has your place") }

// depart leaves everything the member is in.
func (m *member) depart() {
	if m.hello != nil {
		m.hello.Stop()
	}
	for _, r := range m.rooms {
		m.chat.leave(m, r)
	}
	m.rooms = nil
	m.chat.forget(m)
}

// fail answers a request that is not carried out. What only a broken or hostile
// program does counts as a fault.
func (m *member) fail(q *request, err error) {
	var why refusal
	if !errors.As(err, &why) {
		panic(err)
	}
	m.deliver(encode(failure{Type: "error", Code: why.code, Text: why.text, Room: q.Room, ID: q.ID}))
	if why.code == BadRequest {
		m.fault()
	}
}

func (m *member) fault() {
	config := &m.chat.config
	if _, ok := m.faults.take(config.Now(), config.FaultPeriod, config.MaxFaults); !ok {
		m.close(closePolicy, "too many mistakes")
	}
}

// allowed takes a message off the client's rate, or tells it to wait.
func (m *member) allowed(q *request, now time.Time) bool {
	config := &m.chat.config
	interval := time.Duration(float64(time.Second) / config.MessageRate)
	wait, ok := m.rate.take(now, interval, config.MessageBurst)
	if !ok {
		m.deliver(encode(failure{
			Type:  "error",
			Code:  TooFast,
			Text:  "too many messages; wait a moment",
			Room:  q.Room,
			ID:    q.ID,
			Retry: wait.Milliseconds() + 1,
		}))
		m.fault()
	}
	return ok
}
