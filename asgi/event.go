package asgi

import "slices"

// Event is one ASGI message. Events are passed as pointers to message structs;
// the set is sealed.
type Event interface {
	// EventType is the message's type in the specification, such as
	// "http.response.start".
	EventType() string

	// clone returns a deep copy that shares nothing with the event but files and
	// what is immutable.
	clone() Event
}

// ReceiveEvent is an event from the server to the application.
type ReceiveEvent interface {
	Event
	receiveSymbol() symbol
}

// SendEvent is an event from the application to the server. An engine retains
// neither the event nor what it points to beyond Send, but for a payload that says
// so ([Lifetime]), and does not change it: a constant response may be one event
// that all requests share.
type SendEvent interface {
	Event
	sendSymbol() symbol
}

// IsNil reports whether there is no event: an interface without a value, or a nil
// pointer in it. Every send refuses both with ErrNilEvent.
func IsNil(ev SendEvent) bool { return ev == nil || ev.sendSymbol() == symNil }

// given is the symbol s of an event that is there.
func given(there bool, s symbol) symbol {
	if !there {
		return symNil
	}
	return s
}

// Lifetime says how long the payload of a send event stays as it is. An engine may
// refer to a large payload meanwhile instead of copying it.
type Lifetime uint8

const (
	// DuringSend: until Send returns. An engine copies what it cannot write at
	// once, except what lies in the payload of the event being received.
	DuringSend Lifetime = iota
	// UntilWritable: while the exchange is congested, and until [Exchange.Reclaim].
	// Congested is true at least as long as the engine refers to the payload.
	UntilWritable
	// Immutable: for good. The payload may be sent to many.
	Immutable
)

// clonePayload returns what a clone of an event has for payload p.
func clonePayload(p []byte, l Lifetime) []byte {
	if l == Immutable {
		return p
	}
	return slices.Clone(p)
}

// CloneReceive returns a deep copy of ev, for code that keeps an event beyond
// the call that delivered it.
func CloneReceive(ev ReceiveEvent) ReceiveEvent { return ev.clone().(ReceiveEvent) }

// CloneSend returns a deep copy of ev, for code that passes an event to another
// goroutine. Files and immutable payloads are shared.
func CloneSend(ev SendEvent) SendEvent { return ev.clone().(SendEvent) }

// Size returns the payload bytes of an event, the unit of bounds on queues.
func Size(ev Event) int {
	switch e := ev.(type) {
	case *HTTPRequest:
		return len(e.Body)
	case *HTTPResponseBody:
		return len(e.Body)
	case *WebSocketReceive:
		return len(e.Data)
	case *WebSocketSend:
		return len(e.Data)
	case *WebSocketDenialBody:
		return len(e.Body)
	default:
		return 0
	}
}

// disconnectOf returns the event that ends an exchange which the peer did not
// end; nil for a lifespan, which has none.
func disconnectOf(t ScopeType) ReceiveEvent {
	switch t {
	case ScopeHTTP:
		return &HTTPDisconnect{}
	case ScopeWebSocket:
		return &WebSocketDisconnect{Code: 1006}
	default:
		return nil
	}
}
