package api

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
)

// call is one request.
//
// Loop-owned, but for later.
type call struct {
	x       asgi.Exchange
	scope   *asgi.Scope
	headers []asgi.Header // of the answer, beside those that all have

	body    []byte
	maxBody int
	then    func(body []byte) // nil once it was called
	rest    []byte            // of the answer
}

// read collects the body, of at most maxBytes, and calls then with the whole of it.
func (c *call) read(maxBytes int, then func(body []byte)) asgi.Receiver {
	c.maxBody, c.then = maxBytes, then
	if value, ok := c.scope.Header("content-length"); ok {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > int64(maxBytes) {
			c.tooLarge()
		}
	}
	return c
}

func (c *call) tooLarge() {
	c.then, c.body = nil, nil
	c.fail(&hub.Error{Code: hub.TooLarge, Text: "a body has at most " + strconv.Itoa(c.maxBody) + " bytes"})
}

// Receive implements asgi.Receiver.
func (c *call) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.HTTPRequest:
		if c.then == nil {
			return
		}
		if len(c.body)+len(ev.Body) > c.maxBody {
			c.tooLarge()
			return
		}
		c.body = append(c.body, ev.Body...)
		if !ev.MoreBody {
			then, body := c.then, c.body
			c.then, c.body = nil, nil
			then(body)
		}
	case *asgi.Writable:
		c.send()
	case *asgi.HTTPDisconnect:
		c.rest = nil
	}
}

// later returns a function that has what it is given run on the loop, from any
// goroutine.
func (c *call) later() func(func()) {
	loop := asgi.LoopOf(c.x)
	return func(fn func()) { loop.Post(fn) } // a loop that has stopped answers nobody
}

// answer answers with a value as JSON.
func (c *call) answer(status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		c.x.End(err) // a bug: all that is answered can be put as JSON
		return
	}
	start := &asgi.HTTPResponseStart{Status: status, Headers: append(c.headers,
		asgi.Header{Name: "content-type", Value: "application/json"},
		asgi.Header{Name: "content-length", Value: strconv.Itoa(len(body))},
		asgi.Header{Name: "cache-control", Value: "no-store"},
		asgi.Header{Name: "x-content-type-options", Value: "nosniff"})}
	if c.x.Send(start) == nil {
		c.rest = body
		c.send()
	}
}

// answerPiece is how much is sent between two looks at the outbox: far less than
// what it holds.
const answerPiece = 64 << 10

// send sends of the answer what the outbox takes.
func (c *call) send() {
	for len(c.rest) > 0 && !c.x.Congested() {
		n := min(len(c.rest), answerPiece)
		piece := c.rest[:n]
		c.rest = c.rest[n:]
		if c.x.Send(&asgi.HTTPResponseBody{Body: piece, MoreBody: len(c.rest) > 0, Lifetime: asgi.Immutable}) != nil {
			c.rest = nil // nobody is there
		}
	}
}

// fault is an error as it is told.
type fault struct {
	Code  hub.ErrorCode `json:"code"`
	Text  string        `json:"text"`
	Retry int64         `json:"retry_ms,omitempty"`
}

func faultOf(err error) *fault {
	e := hub.AsError(err)
	return &fault{e.Code, e.Text, e.RetryAfter.Milliseconds()}
}

// fail answers with an error.
func (c *call) fail(err error) {
	e := hub.AsError(err)
	c.headers = append(c.headers, e.HTTPHeaders()...)
	if e.HTTPStatus() == http.StatusUnauthorized {
		// RFC 9110, section 11.6.1: a 401 MUST have one.
		c.headers = append(c.headers, asgi.Header{Name: "www-authenticate", Value: "Bearer"})
	}
	c.answer(e.HTTPStatus(), faultOf(e))
}

// only answers a request whose method is none of the allowed ones.
func (c *call) only(allowed string) {
	c.headers = append(c.headers, asgi.Header{Name: "allow", Value: allowed})
	c.answer(http.StatusMethodNotAllowed, &fault{Code: hub.BadRequest, Text: "the method must be " + allowed})
}
