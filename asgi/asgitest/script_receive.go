package asgitest

import (
	"bytes"
	"fmt"

	"github.com/gale-server/gale/asgi"
)

// request takes a whole request body, in however many pieces.
func request(want string) step {
	return receiveStep{"http.request", func() matcher {
		var body []byte
		return func(ev asgi.ReceiveEvent) (bool, error) {
			e, ok := ev.(*asgi.HTTPRequest)
			if !ok {
				return false, unexpected(ev)
			}
			body = append(body, e.Body...)
			switch {
			case e.MoreBody:
				return false, nil
			case string(body) != want:
				return false, fmt.Errorf("the body is %s, want %s", abbreviate(body), abbreviate([]byte(want)))
			}
			return true, nil
		}
	}}
}

// requestPart takes pieces of a request body until they are want.
func requestPart(want string) step {
	return receiveStep{"a part of http.request", func() matcher {
		var body []byte
		return func(ev asgi.ReceiveEvent) (bool, error) {
			e, ok := ev.(*asgi.HTTPRequest)
			if !ok {
				return false, unexpected(ev)
			}
			body = append(body, e.Body...)
			if !e.MoreBody || !bytes.HasPrefix([]byte(want), body) {
				return false, fmt.Errorf("the piece ends with %q, more_body %v", body, e.MoreBody)
			}
			return len(body) == len(want), nil
		}
	}}
}

// one takes one event of type E, which check looks at.
func one[E asgi.ReceiveEvent](check func(e E) error) step {
	var zero E
	return receiveStep{zero.EventType(), func() matcher {
		return func(ev asgi.ReceiveEvent) (bool, error) {
			e, ok := ev.(E)
			if !ok {
				return false, unexpected(ev)
			}
			if check != nil {
				return true, check(e)
			}
			return true, nil
		}
	}}
}

// disconnected takes http.disconnect.
func disconnected() step { return one[*asgi.HTTPDisconnect](nil) }

// emptyRequest takes the one event of a request without a body.
func emptyRequest() step {
	return one(func(e *asgi.HTTPRequest) error {
		if len(e.Body) > 0 || e.MoreBody {
			return fmt.Errorf("body %q, more_body %v", e.Body, e.MoreBody)
		}
		return nil
	})
}

// connected takes websocket.connect.
func connected() step { return one[*asgi.WebSocketConnect](nil) }

// accepted takes websocket.connect and accepts.
func accepted(then ...step) []step {
	return append([]step{connected(), send(&asgi.WebSocketAccept{})}, then...)
}

func textMessage(want string) step   { return received(asgi.Text, want) }
func binaryMessage(want string) step { return received(asgi.Binary, want) }

func received(kind asgi.MessageKind, want string) step {
	return one(func(e *asgi.WebSocketReceive) error {
		if e.Kind != kind || string(e.Data) != want {
			return fmt.Errorf("%s message %s, want %s message %s",
				e.Kind, abbreviate(e.Data), kind, abbreviate([]byte(want)))
		}
		return nil
	})
}

// closed takes websocket.disconnect.
func closed(code int, reason string) step {
	return one(func(e *asgi.WebSocketDisconnect) error {
		if e.Code != code || e.Reason != reason {
			return fmt.Errorf("code %d, reason %q; want %d, %q", e.Code, e.Reason, code, reason)
		}
		return nil
	})
}

// gone takes websocket.disconnect, whatever it says.
func gone() step { return one[*asgi.WebSocketDisconnect](nil) }

func unexpected(ev asgi.ReceiveEvent) error {
	switch e := ev.(type) {
	case *asgi.HTTPRequest:
		return fmt.Errorf("received http.request %s, more_body %v", abbreviate(e.Body), e.MoreBody)
	case *asgi.WebSocketReceive:
		return fmt.Errorf("received %s message %s", e.Kind, abbreviate(e.Data))
	case *asgi.WebSocketDisconnect:
		return fmt.Errorf("received websocket.disconnect %d %q", e.Code, e.Reason)
	}
	return fmt.Errorf("received %s", ev.EventType())
}

func abbreviate(p []byte) string {
	if len(p) > 60 {
		return fmt.Sprintf("%q... (%d bytes)", p[:40], len(p))
	}
	return fmt.Sprintf("%q", p)
}
