package asgitest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// script is what an application does for one path, or for the lifespan: steps
// that are interpreted as a Handler and as an Application alike. After the last
// step the application ends without an error.
type script struct {
	on    string
	steps []step
}

func on(path string, steps ...step) script { return script{path, steps} }

const onLifespan = "lifespan"

// step is one thing an application does.
type step interface{ step() }

type (
	// receiveStep takes events until match is done with them. match is made
	// anew for each run.
	receiveStep struct {
		what  string
		match func() matcher
	}

	// sendStep sends an event; check judges the result.
	sendStep struct {
		event asgi.SendEvent
		check func(err error, f scriptForm) error
	}

	// floodStep sends an event until send fails, at most limit times, and
	// judges the last result.
	floodStep struct {
		event asgi.SendEvent
		limit int
		check func(err error) error
	}

	// fileStep sends a part of a file, which it opens and closes around the send.
	fileStep struct {
		path          string
		offset, count int64
		more          bool
	}

	// lendStep sends an event with memory of its own, which it overwrites as soon as
	// the payload's lifetime is over.
	lendStep struct {
		payload string
		event   func(p []byte, l asgi.Lifetime) asgi.SendEvent
		life    asgi.Lifetime
	}

	// waitStep waits for a signal, without receiving.
	waitStep struct{ signal string }

	// doStep does something that takes no time.
	doStep func(r *scriptRun) error

	// callStep is for what only one of the application forms has.
	callStep func(c call) error

	// endStep ends the application: with an error, a panic, or runtime.Goexit.
	endStep struct {
		err   error
		panic bool
		exit  bool
	}
)

func (receiveStep) step() {}
func (sendStep) step()    {}
func (floodStep) step()   {}
func (fileStep) step()    {}
func (lendStep) step()    {}
func (waitStep) step()    {}
func (doStep) step()      {}
func (callStep) step()    {}
func (endStep) step()     {}

// leave does not return from a step that panics or exits.
func (st endStep) leave() {
	switch {
	case st.panic:
		panic(errRaised)
	case st.exit:
		runtime.Goexit()
	}
}

// play sends the part, by whatever send is.
func (st fileStep) play(send func(ev asgi.SendEvent) error) error {
	file, err := os.Open(st.path)
	if err != nil {
		return err
	}
	defer file.Close()
	return send(&asgi.HTTPResponseZeroCopySend{File: file, Offset: st.offset, Count: st.count, MoreBody: st.more})
}

// matcher takes an event and says whether it was the last one it wants.
type matcher func(ev asgi.ReceiveEvent) (done bool, err error)

// scriptRun is one run of a script.
type scriptRun struct {
	*session
	scope *asgi.Scope
	on    string
	steps []step
}

// scripted is the application that plays a session's scripts.
type scripted struct{ *session }

// begin finds the script for a scope.
func (s scripted) begin(scope *asgi.Scope) (r *scriptRun, err error) {
	r = &scriptRun{session: s.session, scope: scope, on: scope.Path}
	if scope.Type == asgi.ScopeLifespan {
		r.on = onLifespan
	}
	s.mu.Lock()
	sc, ok := s.scripts[r.on]
	s.mu.Unlock()
	switch {
	case ok:
		r.steps = sc.steps
		s.began(scope)
		return r, nil
	case scope.Type != asgi.ScopeLifespan:
		s.failf("unexpected %s exchange on %q", scope.Type, scope.Path)
	}
	return nil, asgi.ErrUnsupportedScope
}

// errScript ends an application whose script has failed; the failure itself is
// reported to the test.
var errScript = errors.New("asgitest: the script failed")

// fail reports why the step is not as it should be.
func (r *scriptRun) fail(n int, err error) error {
	r.failf("%s, step %d of %d (%s): %v", r.on, n+1, len(r.steps), describe(r.steps[n]), err)
	return errScript
}

func describe(st step) string {
	switch st := st.(type) {
	case receiveStep:
		return "receive " + st.what
	case sendStep:
		if st.event == nil {
			return "send nil"
		}
		return "send " + st.event.EventType()
	case floodStep:
		return "send again and again " + st.event.EventType()
	case waitStep:
		return "wait for " + st.signal
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", st), "asgitest.")
}

// errRaised is what a script ends with when it raises.
var errRaised = errors.New("asgitest: raised by the script")

// What a script consists of.
func raise() step { return endStep{err: errRaised} }
func die() step   { return endStep{panic: true} }
func exit() step  { return endStep{exit: true} }

func wait(signal string) step { return waitStep{signal} }

func signal(name string) step {
	return doStep(func(r *scriptRun) error { r.signal(name); return nil })
}

func note(event string) step {
	return doStep(func(r *scriptRun) error { r.note(event); return nil })
}

// scopeHas checks the scope.
func scopeHas(check func(scope *asgi.Scope) error) step {
	return doStep(func(r *scriptRun) error { return check(r.scope) })
}

// send sends an event that must be accepted.
func send(ev asgi.SendEvent) step {
	return sendStep{ev, func(err error, _ scriptForm) error { return err }}
}

// lend sends a payload of every lifetime, one after the other.
func lend(payload string, event func(p []byte, l asgi.Lifetime) asgi.SendEvent) []step {
	var steps []step
	for _, life := range []asgi.Lifetime{asgi.DuringSend, asgi.UntilWritable, asgi.Immutable} {
		steps = append(steps, lendStep{payload, event, life})
	}
	return steps
}

// finish overwrites memory whose time as a payload is over, and judges the result:
// a client may be gone.
func (st lendStep) finish(p []byte, err error) error {
	if st.life != asgi.Immutable {
		clear(p)
	}
	if errors.Is(err, asgi.ErrDisconnected) {
		return nil
	}
	return err
}

// sendOutOfOrder sends an event that must be refused with an OrderError.
func sendOutOfOrder(ev asgi.SendEvent) step {
	return sendStep{ev, func(err error, _ scriptForm) error {
		var order *asgi.OrderError
		if !errors.As(err, &order) || order.Event != ev.EventType() {
			return fmt.Errorf("got error %v, want an OrderError about %s", err, ev.EventType())
		}
		return nil
	}}
}

// sendMalformed sends an event that must be refused; off the loop that is found
// out later.
func sendMalformed(ev asgi.SendEvent) step {
	return sendStep{ev, func(err error, f scriptForm) error {
		var order *asgi.OrderError
		switch {
		case f.late:
			return nil
		case err == nil:
			return errors.New("the event was accepted")
		case errors.As(err, &order), errors.Is(err, asgi.ErrDisconnected):
			return fmt.Errorf("refused for the wrong reason: %w", err)
		}
		return nil
	}}
}

// sendNothing sends nil, and nil pointers, which must be refused.
func sendNothing(pointers ...asgi.SendEvent) []step {
	var steps []step
	for _, ev := range append(pointers, nil) {
		steps = append(steps, sendStep{ev, func(err error, _ scriptForm) error {
			if !errors.Is(err, asgi.ErrNilEvent) {
				return fmt.Errorf("%T: got error %v, want ErrNilEvent", ev, err)
			}
			return nil
		}})
	}
	return steps
}

// sendGone sends an event that must fail because the peer is gone.
func sendGone(ev asgi.SendEvent) step {
	return sendStep{ev, func(err error, _ scriptForm) error { return wantGone(err) }}
}

func wantGone(err error) error {
	if !errors.Is(err, asgi.ErrDisconnected) {
		return fmt.Errorf("got error %v, want ErrDisconnected", err)
	}
	return nil
}

// Send events.
func start(status int, headers ...string) *asgi.HTTPResponseStart {
	return &asgi.HTTPResponseStart{Status: status, Headers: fields(headers...)}
}

func last(body string) *asgi.HTTPResponseBody { return &asgi.HTTPResponseBody{Body: []byte(body)} }

func more(body string) *asgi.HTTPResponseBody {
	return &asgi.HTTPResponseBody{Body: []byte(body), MoreBody: true}
}

func sendText(text string) *asgi.WebSocketSend { return &asgi.WebSocketSend{Data: []byte(text)} }

func sendBinary(p string) *asgi.WebSocketSend {
	return &asgi.WebSocketSend{Kind: asgi.Binary, Data: []byte(p)}
}

// fields makes header fields of "name: value" lines.
func fields(lines ...string) []asgi.Header {
	var headers []asgi.Header
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		headers = append(headers, asgi.Header{Name: name, Value: value})
	}
	return headers
}

// respond are the steps of a whole response with a short body.
func respond(on, body string, before ...step) script {
	return script{on, append(before, send(start(200)), send(last(body)))}
}
