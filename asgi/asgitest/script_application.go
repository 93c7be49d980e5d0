package asgitest

import (
	"context"

	"github.com/gale-server/gale/asgi"
)

// call is what an application was called with.
type call struct {
	*scriptRun
	ctx     context.Context
	receive asgi.Receive
	send    asgi.Send
}

// application plays scripts in coroutine form.
func (s scripted) application(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	r, err := s.begin(scope)
	if err != nil {
		return err
	}
	defer s.ended(scope, r.on)
	c := call{r, ctx, receive, send}
	for n, st := range r.steps {
		if end, ok := st.(endStep); ok {
			end.leave()
			return end.err
		}
		if err := c.play(st); err != nil {
			return r.fail(n, err)
		}
	}
	return nil
}

func (c call) play(st step) error {
	switch st := st.(type) {
	case receiveStep:
		return c.take(st.match())
	case sendStep:
		return st.check(c.send(c.ctx, st.event), c.form)
	case floodStep:
		var err error
		for n := 0; n < st.limit && err == nil; n++ {
			err = c.send(c.ctx, st.event)
		}
		return st.check(err)
	case fileStep:
		return st.play(func(ev asgi.SendEvent) error { return c.send(c.ctx, ev) })
	case lendStep:
		p := []byte(st.payload)
		return st.finish(p, c.send(c.ctx, st.event(p, st.life)))
	case waitStep:
		return c.await(st.signal)
	case idleStep:
		st.play(c)
	case doStep:
		return st(c.scriptRun)
	case callStep:
		return st(c)
	}
	return nil
}

func (c call) take(match matcher) error {
	for {
		ev, err := c.receive(c.ctx)
		if err != nil {
			return err
		}
		if done, err := match(ev); done || err != nil {
			return err
		}
	}
}

// await waits for a signal, whatever becomes of the peer meanwhile.
func (c call) await(name string) error {
	reached := c.point(name)
	_, err := asgi.Await(context.WithoutCancel(c.ctx), func(done func(struct{}, error)) {
		go func() { // ends with the signal, or with the case
			select {
			case <-reached:
				done(struct{}{}, nil)
			case <-c.session.ctx.Done():
				done(struct{}{}, c.session.ctx.Err())
			}
		}()
	})
	return err
}
