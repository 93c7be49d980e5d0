package asgi

import "slices"

// MessageKind tells a text message from a binary one: which of the keys "text"
// and "bytes" of the specification is present.
type MessageKind uint8

// The kinds of WebSocket messages.
const (
	Text MessageKind = iota
	Binary
)

func (k MessageKind) String() string {
	if k == Text {
		return "text"
	}
	return "binary"
}

// WebSocketConnect ("websocket.connect", receive) arrives during the opening
// handshake, which waits for WebSocketAccept, WebSocketClose or a denial
// response.
type WebSocketConnect struct{}

// WebSocketAccept ("websocket.accept", send) completes the handshake.
// Subprotocol is one that the scope offers, or "" for none. Headers are added
// to the response; sec-websocket-* fields are not allowed among them.
type WebSocketAccept struct {
	Subprotocol string
	Headers     []Header
}

// WebSocketReceive ("websocket.receive", receive) is one whole message. Data of
// a text message is valid UTF-8. An empty message is legal.
type WebSocketReceive struct {
	Kind MessageKind
	Data []byte
}

// WebSocketSend ("websocket.send", send) sends one message. Data of a text
// message must be valid UTF-8.
type WebSocketSend struct {
	Kind     MessageKind
	Data     []byte
	Lifetime Lifetime // of Data
}

// WebSocketClose ("websocket.close", send) closes with a close frame; before
// WebSocketAccept it refuses the handshake with 403. Code 0 means 1000. Reason
// is cut to 123 bytes, at a rune boundary.
type WebSocketClose struct {
	Code   int
	Reason string
}

// WebSocketDisconnect ("websocket.disconnect", receive) says that the
// connection is over. Code is the peer's, 1005 if its close frame had none,
// 1006 if there was no close frame.
type WebSocketDisconnect struct {
	Code   int
	Reason string
}

// WebSocketDenialStart ("websocket.http.response.start", send) begins an HTTP
// response in place of the handshake.
//
// See https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response.
type WebSocketDenialStart struct {
	Status  int
	Headers []Header
}

// WebSocketDenialBody ("websocket.http.response.body", send) is a piece of a
// denial response's body.
type WebSocketDenialBody struct {
	Body     []byte
	MoreBody bool
}

func (*WebSocketConnect) EventType() string     { return "websocket.connect" }
func (*WebSocketAccept) EventType() string      { return "websocket.accept" }
func (*WebSocketReceive) EventType() string     { return "websocket.receive" }
func (*WebSocketSend) EventType() string        { return "websocket.send" }
func (*WebSocketClose) EventType() string       { return "websocket.close" }
func (*WebSocketDisconnect) EventType() string  { return "websocket.disconnect" }
func (*WebSocketDenialStart) EventType() string { return "websocket.http.response.start" }
func (*WebSocketDenialBody) EventType() string  { return "websocket.http.response.body" }

func (*WebSocketConnect) receiveSymbol() symbol    { return symConnect }
func (*WebSocketReceive) receiveSymbol() symbol    { return symMessage }
func (*WebSocketDisconnect) receiveSymbol() symbol { return symWebSocketDisconnect }

func (e *WebSocketAccept) sendSymbol() symbol      { return given(e != nil, symAccept) }
func (e *WebSocketSend) sendSymbol() symbol        { return given(e != nil, symSend) }
func (e *WebSocketClose) sendSymbol() symbol       { return given(e != nil, symClose) }
func (e *WebSocketDenialStart) sendSymbol() symbol { return given(e != nil, symDenialStart) }

func (e *WebSocketDenialBody) sendSymbol() symbol {
	if e == nil {
		return symNil
	}
	if e.MoreBody {
		return symDenialBodyMore
	}
	return symDenialBodyLast
}

func (*WebSocketConnect) clone() Event { return &WebSocketConnect{} }

func (e *WebSocketAccept) clone() Event {
	return &WebSocketAccept{Subprotocol: e.Subprotocol, Headers: slices.Clone(e.Headers)}
}

func (e *WebSocketReceive) clone() Event {
	return &WebSocketReceive{Kind: e.Kind, Data: slices.Clone(e.Data)}
}

func (e *WebSocketSend) clone() Event {
	return &WebSocketSend{Kind: e.Kind, Data: clonePayload(e.Data, e.Lifetime), Lifetime: e.Lifetime}
}

func (e *WebSocketClose) clone() Event {
	c := *e
	return &c
}

func (e *WebSocketDisconnect) clone() Event {
	c := *e
	return &c
}

func (e *WebSocketDenialStart) clone() Event {
	return &WebSocketDenialStart{Status: e.Status, Headers: slices.Clone(e.Headers)}
}

func (e *WebSocketDenialBody) clone() Event {
	return &WebSocketDenialBody{Body: slices.Clone(e.Body), MoreBody: e.MoreBody}
}
