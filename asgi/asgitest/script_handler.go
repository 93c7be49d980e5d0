package asgitest

import (
	"slices"

	"github.com/gale-server/gale/asgi"
)

// handler plays scripts in event form.
func (s scripted) handler() asgi.Handler {
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		r, err := s.begin(scope)
		if err != nil {
			x.End(err)
			return nil
		}
		p := &scriptReceiver{scriptRun: r, x: x}
		x.Pause() // until the script receives
		p.advance()
		return p
	})
}

// scriptReceiver plays one script: each call goes on with it until it has to
// wait.
type scriptReceiver struct {
	*scriptRun
	x       asgi.Exchange
	n       int // the step under way
	match   matcher
	count   int    // of a flood
	lent    []byte // nil but while a payload is lent
	waiting bool
	queue   []asgi.ReceiveEvent // delivered, not yet asked for
	over    bool
}

// Receive implements [asgi.Receiver].
func (p *scriptReceiver) Receive(ev asgi.ReceiveEvent) {
	if _, ok := ev.(*asgi.Writable); !ok {
		p.queue = append(p.queue, asgi.CloneReceive(ev))
	}
	p.advance()
}

func (p *scriptReceiver) advance() {
	for !p.over && p.n < len(p.steps) {
		done, err := p.play(p.steps[p.n])
		switch {
		case err != nil:
			p.end(p.fail(p.n, err))
		case !done:
			return
		default:
			p.n++
		}
	}
	if !p.over {
		p.end(nil)
	}
}

// play does what can be done of a step now, and reports whether that was all.
func (p *scriptReceiver) play(st step) (done bool, err error) {
	switch st := st.(type) {
	case receiveStep:
		return p.receive(st)
	case sendStep:
		if p.congested() {
			return false, nil // a Writable event follows
		}
		return true, st.check(p.x.Send(st.event), p.form)
	case floodStep:
		return p.flood(st)
	case fileStep:
		if p.congested() {
			return false, nil
		}
		return true, st.play(p.x.Send)
	case lendStep:
		return p.lend(st)
	case waitStep:
		return p.await(st), nil
	case idleStep:
		p.x.Pause()
		return p.departed(), nil
	case doStep:
		return true, st(p.scriptRun)
	case endStep:
		if st.panic || st.exit {
			p.over = true
			p.ended(p.scope, p.on)
			st.leave()
		}
		p.end(st.err)
	}
	return true, nil
}

func (p *scriptReceiver) receive(st receiveStep) (done bool, err error) {
	if p.match == nil {
		p.match = st.match()
	}
	for len(p.queue) > 0 {
		ev := p.queue[0]
		p.queue = slices.Delete(p.queue, 0, 1)
		if done, err := p.match(ev); done || err != nil {
			p.match = nil
			return done, err
		}
	}
	p.x.Resume()
	return false, nil
}

func (p *scriptReceiver) lend(st lendStep) (done bool, err error) {
	if p.congested() {
		return false, nil
	}
	if p.lent == nil {
		p.lent = []byte(st.payload)
		err = p.x.Send(st.event(p.lent, st.life))
		if st.life == asgi.UntilWritable && err == nil && p.congested() {
			return false, nil
		}
	}
	err = st.finish(p.lent, err)
	p.lent = nil
	return true, err
}

func (p *scriptReceiver) flood(st floodStep) (done bool, err error) {
	for ; p.count < st.limit; p.count++ {
		if p.congested() {
			return false, nil
		}
		if err = p.x.Send(st.event); err != nil {
			break
		}
	}
	p.count = 0
	return true, st.check(err)
}

// congested reports whether a Writable event is to be waited for. None follows a
// disconnect, which may wait in the queue.
func (p *scriptReceiver) congested() bool {
	return !p.departed() && p.x.Congested()
}

// departed reports whether the disconnect has come.
func (p *scriptReceiver) departed() bool {
	if len(p.queue) == 0 {
		return false
	}
	switch p.queue[len(p.queue)-1].(type) {
	case *asgi.HTTPDisconnect, *asgi.WebSocketDisconnect:
		return true
	}
	return false
}

func (p *scriptReceiver) await(st waitStep) (done bool) {
	reached := p.point(st.signal)
	select {
	case <-reached:
		p.waiting = false
		return true
	default:
	}
	if !p.waiting {
		p.waiting = true
		p.x.Pause()
		go func() { // ends with the signal, or with the case
			select {
			case <-reached:
			case <-p.ctx.Done():
			}
			p.x.Post(func() {
				if p.ctx.Err() != nil {
					p.end(errScript)
				}
				p.advance()
			})
		}()
	}
	return false
}

func (p *scriptReceiver) end(err error) {
	if p.over {
		return
	}
	p.over = true
	p.ended(p.scope, p.on)
	p.x.End(err)
}
