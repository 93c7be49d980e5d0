package asgi_test

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

// form is a way to run an application. What holds for one holds for all.
type form struct {
	name string
	make func(asgi.Application) asgi.Handler
}

var forms = []form{
	{"coroutine", asgi.Coroutine},
	{"goroutine", func(app asgi.Application) asgi.Handler { return asgi.Goroutine(app, nil) }},
	{"nested coroutine", func(app asgi.Application) asgi.Handler {
		return asgi.Coroutine(asgi.ApplicationOf(asgi.Coroutine(app)))
	}},
	{"coroutine on a goroutine", func(app asgi.Application) asgi.Handler {
		return asgi.Goroutine(asgi.ApplicationOf(asgi.Coroutine(app)), nil)
	}},
	{"goroutine under a coroutine", func(app asgi.Application) asgi.Handler {
		return asgi.Coroutine(asgi.ApplicationOf(asgi.Goroutine(app, nil)))
	}},
}

func eachForm(t *testing.T, test func(t *testing.T, open func(asgi.Application) *probe), except ...string) {
	for _, f := range forms {
		if slices.Contains(except, f.name) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			test(t, func(app asgi.Application) *probe {
				p := &probe{}
				p.Exchange = asgitest.New(t, f.make(p.watch(app)), asgitest.WebSocketScope("/"))
				return p
			})
		})
	}
}

// probe is an exchange that also knows when the application itself is over:
// under an adapter the exchange may end first, with its disconnect.
type probe struct {
	*asgitest.Exchange
	over   atomic.Bool
	result error // of the application; set before over
}

func (p *probe) watch(app asgi.Application) asgi.Application {
	return func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		defer p.over.Store(true)
		p.result = app(ctx, scope, receive, send)
		return p.result
	}
}

// connect delivers the connect event and waits for the accept.
func (p *probe) connect() {
	p.Deliver(&asgi.WebSocketConnect{})
	p.WaitSent(1)
}

// WaitEnded waits for exchange and application and returns the application's
// error, or that of its panic.
func (p *probe) WaitEnded() error {
	err := p.Exchange.WaitEnded()
	p.waitFor("the application's return", p.over.Load)
	if p.result != nil {
		return p.result
	}
	return err
}

// waitFor waits for something that is not posted to the loop.
func (p *probe) waitFor(what string, cond func() bool) {
	p.Wait(what, func() bool {
		if cond() {
			return true
		}
		runtime.Gosched()
		p.Post(func() {}) // look again
		return false
	})
}

// conversation makes the applications of these tests shorter.
type conversation struct {
	t       *testing.T
	ctx     context.Context
	receive asgi.Receive
	send    asgi.Send
}

func converse(t *testing.T, fn func(c conversation) error) asgi.Application {
	return func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		return fn(conversation{t, ctx, receive, send})
	}
}

// say sends a message; say and hear report what goes wrong as test failures.
func (c conversation) say(text string) {
	if err := c.send(c.ctx, message(text)); err != nil {
		c.t.Errorf("send %q: %v", text, err)
	}
}

func (c conversation) accept() {
	c.hear()
	if err := c.send(c.ctx, &asgi.WebSocketAccept{}); err != nil {
		c.t.Errorf("accept: %v", err)
	}
}

// hear returns the text of the next message, or the type of another event.
func (c conversation) hear() string {
	ev, err := c.receive(c.ctx)
	if err != nil {
		c.t.Errorf("receive: %v", err)
		return "error"
	}
	return textOf(ev)
}

func textOf(ev asgi.Event) string {
	switch e := ev.(type) {
	case *asgi.WebSocketReceive:
		return string(e.Data)
	case *asgi.WebSocketSend:
		return string(e.Data)
	}
	return ev.EventType()
}

func message(text string) *asgi.WebSocketSend { return &asgi.WebSocketSend{Data: []byte(text)} }
func incoming(text string) *asgi.WebSocketReceive {
	return &asgi.WebSocketReceive{Data: []byte(text)}
}

// said returns the texts of what was sent.
func said(x *probe) []string {
	var texts []string
	for _, ev := range x.Sent() {
		texts = append(texts, textOf(ev))
	}
	return texts
}

// waitSaid waits until the last of what was sent is text.
func waitSaid(x *probe, text string) {
	x.Wait("a message "+text, func() bool {
		sent := x.Sent()
		return len(sent) > 0 && textOf(sent[len(sent)-1]) == text
	})
}
