package asgi

// Behind reports whether the handler of r has not yet done with what was
// delivered to it, as one that runs off the loop may ([Serial], [Goroutine]).
// Then caughtUp runs on the exchange's loop, once, when it has, and what it has
// sent in answer comes before that; it may never run if the handler blocks.
//
// Engines ask before they end a WebSocket because of what its peer did after
// those events: a close, an error, the end of its stream. None of these overtakes
// an answer (https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1). Meanwhile the
// engine takes what is sent, delivers nothing, and bounds the wait. left says that
// the peer sends nothing more and may be gone: the context of the application is
// cancelled at once.
//
// Loop-owned: call only from the exchange's event loop.
func Behind(r Receiver, left bool, caughtUp func()) bool {
	b, ok := r.(trailing)
	return ok && b.behind(left, caughtUp)
}

// trailing is a Receiver that hands on what it gets.
type trailing interface {
	behind(left bool, caughtUp func()) bool
}

// behind implements trailing: the call comes behind the events in the inbox, and
// what the handler has sent is posted before it.
func (s *serial) behind(_ bool, caughtUp func()) bool {
	if s.inbox.idle() {
		s.flush()
		return false
	}
	s.deliver(item{ev: message, fn: func() { PostOwed(s.x, caughtUp) }})
	return true
}

// message stands in an item for any: a function beside it is held back, and
// dropped, as an event is.
var message ReceiveEvent = &WebSocketReceive{}

// behind implements trailing: an application has done with a message when it asks
// for the next event.
func (g *threaded) behind(left bool, caughtUp func()) bool {
	g.waiting.Lock()
	late := g.gone == nil && (g.answering || !g.inbox.idle())
	if late {
		g.caughtUp = caughtUp
	}
	g.waiting.Unlock()
	switch {
	case !late:
		g.flush()
	case left:
		g.ctx.end(ErrDisconnected)
	}
	return late
}

// catchUp follows the end of what was delivered. It is called with waiting held.
func (g *threaded) catchUp() {
	if g.caughtUp != nil {
		PostOwed(g.x, g.caughtUp)
		g.caughtUp, g.leaving = nil, true
	}
}
