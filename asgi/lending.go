package asgi

// lendBytes is from where a payload is worth lending: engines copy less than that.
const lendBytes = 16 << 10

// recycleBytes is from where memory is worth giving back.
const recycleBytes = 4 << 10

// lent returns ev with its payload lent until the exchange is writable, if that is
// of at least n bytes and would be copied; else it returns nil. It is for senders
// that wait until the payload is theirs again.
func lent(ev SendEvent, n int) SendEvent {
	if Size(ev) < n {
		return nil
	}
	switch e := ev.(type) {
	case *HTTPResponseBody:
		if e.Lifetime != Immutable {
			return &HTTPResponseBody{Body: e.Body, MoreBody: e.MoreBody, Lifetime: UntilWritable}
		}
	case *WebSocketSend:
		if e.Lifetime != Immutable {
			return &WebSocketSend{Kind: e.Kind, Data: e.Data, Lifetime: UntilWritable}
		}
	}
	return nil
}

// cloneImmutable is CloneSend for who never changes the clone: an engine need not
// copy it again.
func cloneImmutable(ev SendEvent) SendEvent {
	c := CloneSend(ev)
	switch e := c.(type) {
	case *HTTPResponseBody:
		e.Lifetime = Immutable
	case *WebSocketSend:
		e.Lifetime = Immutable
	}
	return c
}

// keepReceive returns ev for code that keeps it beyond the call that delivered it,
// without a copy of its payload if the engine can do without that.
func keepReceive(x Exchange, ev ReceiveEvent) ReceiveEvent {
	switch e := ev.(type) {
	case *HTTPRequest:
		return &HTTPRequest{Body: x.Keep(e.Body), MoreBody: e.MoreBody}
	case *WebSocketReceive:
		return &WebSocketReceive{Kind: e.Kind, Data: x.Keep(e.Data)}
	}
	return CloneReceive(ev)
}
