package victim

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
)

// exchange is an exchange in event form, or serial.
type exchange struct {
	v    *Victim
	x    asgi.Exchange
	wish wish
	body []byte
	n    int // bytes received, or sent
	over bool
}

func (v *Victim) openEvent(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	e := &exchange{v: v, x: x, wish: wishOf(scope)}
	v.open.Add(1)
	if scope.Type == asgi.ScopeHTTP {
		e.begin()
	}
	return e
}

// end says that the application is done, which is what it counts.
func (e *exchange) end() {
	if !e.over {
		e.over = true
		e.v.open.Add(-1)
	}
}

func (e *exchange) answer(s string) {
	_ = e.x.Send(start) // an error means that the client is gone
	_ = e.x.Send(last(s))
}

// begin does what needs no more of the request than its head.
func (e *exchange) begin() {
	switch e.wish.action {
	case "/echo", "/slow":
	case "/never":
		e.x.Pause()
		if e.wish.n > 0 {
			e.x.AfterFunc(time.Duration(e.wish.n)*time.Millisecond, func() { e.answer("too late") })
		}
	case "/large":
		_ = e.x.Send(start)
		e.large()
	case "/late":
		e.x.AfterFunc(100*time.Millisecond, func() { e.answer(e.wish.place) })
	case "/panic":
		if e.wish.at == "start" {
			_ = e.x.Send(start)
			_ = e.x.Send(later)
		}
		e.end()
		panic("victim: as asked")
	case "/timers":
		e.timers()
	case "/posts":
		e.posts()
	case "/block":
		e.v.block()
		e.answer("released")
	case "/release":
		e.answer(strconv.Itoa(e.v.release()))
	case "/file":
		_ = e.x.Send(start)
		if err := e.x.Send(&asgi.HTTPResponsePathSend{Path: e.v.File}); err != nil {
			e.end()
			e.x.End(err)
		}
	default:
		e.end()
		e.x.End(fmt.Errorf("victim: %q is not known", e.wish.action))
	}
}

// Receive implements [asgi.Receiver].
func (e *exchange) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.HTTPRequest:
		e.request(ev)
	case *asgi.Writable:
		if e.wish.action == "/large" {
			e.large()
		}
	case *asgi.WebSocketConnect:
		_ = e.x.Send(&asgi.WebSocketAccept{})
	case *asgi.WebSocketReceive:
		if e.wish.action == "/panic" {
			e.end()
			panic("victim: as asked")
		}
		_ = e.x.Send(&asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
	case *asgi.HTTPDisconnect, *asgi.WebSocketDisconnect:
		e.end()
	}
}

func (e *exchange) request(ev *asgi.HTTPRequest) {
	e.n += len(ev.Body)
	switch e.wish.action {
	case "/echo":
		if len(e.body) <= maxBody {
			e.body = append(e.body, ev.Body...)
		}
		switch {
		case ev.MoreBody:
		case e.n == 0:
			e.answer(e.wish.place)
		default:
			e.answer(string(e.body))
		}
	case "/slow":
		if !ev.MoreBody {
			e.answer(strconv.Itoa(e.n))
			return
		}
		e.x.Pause()
		e.x.AfterFunc(time.Millisecond, e.x.Resume)
	}
}

// large sends on until the client is behind.
func (e *exchange) large() {
	for at := e.n; at < largeBytes && !e.over && !e.x.Congested(); at = e.n {
		piece, more := largePiece(at)
		e.n += len(piece)
		if e.x.Send(&asgi.HTTPResponseBody{Body: piece, MoreBody: more}) != nil {
			return // the disconnect follows
		}
	}
}

// perPace is how much is done between two pauses of an application that is told
// to pause.
const perPace = 100

// timers sets e.wish.n timers, half of which are stopped.
func (e *exchange) timers() {
	pairs := e.wish.n / 2
	left := pairs
	if left == 0 {
		e.answer("OK")
		return
	}
	set := func(i int) {
		far := e.x.AfterFunc(time.Hour+time.Duration(i)*time.Second, func() { e.answer("a timer fired that was stopped") })
		e.x.AfterFunc(time.Duration(i%100)*time.Millisecond, func() {
			if left--; left == 0 {
				e.answer("OK")
			}
		})
		far.Stop()
	}
	var setFrom func(i int)
	setFrom = func(i int) {
		for ; i < pairs; i++ {
			set(i)
			if e.wish.pace > 0 && i%(perPace/2) == 0 {
				e.x.AfterFunc(e.wish.pace, func() { setFrom(i + 1) })
				return
			}
		}
	}
	setFrom(0)
}

// posters is how many goroutines post for one exchange.
const posters = 4

func (e *exchange) posts() {
	var accepted, refused, ran atomic.Int64
	var all sync.WaitGroup
	for range posters {
		all.Go(func() { // ends when it has posted its share
			for i := range e.wish.n / posters {
				if e.x.Post(func() { ran.Add(1) }) {
					accepted.Add(1)
				} else {
					refused.Add(1)
				}
				if e.wish.pace > 0 && i%perPace == 0 {
					time.Sleep(e.wish.pace)
				}
			}
		})
	}
	go func() { // ends when the last word is accepted, or never will be
		all.Wait()
		answer := func() {
			e.answer(fmt.Sprint(accepted.Load(), refused.Load(), ran.Load()))
		}
		for range 10000 {
			if e.x.Post(answer) {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
}
