package victim

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gale-server/gale/asgi"
)

// run is the application in coroutine form.
func (v *Victim) run(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	v.open.Add(1)
	defer v.open.Add(-1)
	w := wishOf(scope)
	if scope.Type == asgi.ScopeWebSocket {
		return chat(ctx, w, receive, send)
	}
	answer := func(s string) error {
		if err := send(ctx, start); err != nil {
			return err
		}
		return send(ctx, last(s))
	}
	switch w.action {
	case "/echo":
		body, err := gather(ctx, receive, 0)
		if err != nil {
			return err
		}
		if len(body) == 0 {
			return answer(w.place)
		}
		return answer(string(body))
	case "/slow":
		body, err := gather(ctx, receive, time.Millisecond)
		if err != nil {
			return err
		}
		return answer(strconv.Itoa(len(body)))
	case "/never":
		if w.n == 0 {
			return asgi.Sleep(ctx, time.Hour)
		}
		if err := asgi.Sleep(ctx, time.Duration(w.n)*time.Millisecond); err != nil {
			return err
		}
		return answer("too late")
	case "/large":
		return large(ctx, send)
	case "/late":
		if err := asgi.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		return answer(w.place)
	case "/panic":
		if w.at == "start" {
			_ = send(ctx, start)
			_ = send(ctx, later)
		}
		panic("victim: as asked")
	case "/block":
		v.block()
		return answer("released")
	case "/release":
		return answer(strconv.Itoa(v.release()))
	case "/await":
		for i := range w.n {
			n, err := asgi.Await(ctx, func(done func(int, error)) { go done(i, nil) })
			if err != nil || n != i {
				return fmt.Errorf("victim: awaited %d, got %d: %w", i, n, err)
			}
		}
		return answer("OK")
	case "/shield":
		_, err := asgi.Await(context.WithoutCancel(ctx), func(func(int, error)) {})
		return err
	case "/file":
		if err := send(ctx, start); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponsePathSend{Path: v.File})
	}
	return fmt.Errorf("victim: %q is not known", w.action)
}

// gather receives a body, with a pause after each piece, and keeps the
// beginning of it.
func gather(ctx context.Context, receive asgi.Receive, pause time.Duration) (body []byte, err error) {
	for {
		ev, err := receive(ctx)
		if err != nil {
			return nil, err
		}
		r, ok := ev.(*asgi.HTTPRequest)
		if !ok {
			if _, drain := ev.(*asgi.Drain); drain {
				continue
			}
			return nil, asgi.ErrDisconnected
		}
		if len(body) <= maxBody {
			body = append(body, r.Body...)
		}
		if !r.MoreBody {
			return body, nil
		}
		if pause > 0 {
			if err := asgi.Sleep(ctx, pause); err != nil {
				return nil, err
			}
		}
	}
}

func chat(ctx context.Context, w wish, receive asgi.Receive, send asgi.Send) error {
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch ev := ev.(type) {
		case *asgi.WebSocketConnect:
			err = send(ctx, &asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			if w.action == "/panic" {
				panic("victim: as asked")
			}
			err = send(ctx, &asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
		case *asgi.WebSocketDisconnect:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// The response of /large, as hostile has it.
const (
	largeBytes = 8 << 20
	largeCycle = 251
	pieceBytes = 32 << 10
)

// pieces holds every piece that a cyclic body can have.
var pieces = func() []byte {
	p := make([]byte, pieceBytes+largeCycle)
	for i := range p {
		p[i] = byte(i % largeCycle)
	}
	return p
}()

func largePiece(at int) (piece []byte, more bool) {
	n := min(pieceBytes, largeBytes-at)
	from := at % largeCycle
	return pieces[from : from+n], at+n < largeBytes
}

func large(ctx context.Context, send asgi.Send) error {
	if err := send(ctx, start); err != nil {
		return err
	}
	for at := 0; at < largeBytes; {
		piece, more := largePiece(at)
		if err := send(ctx, &asgi.HTTPResponseBody{Body: piece, MoreBody: more}); err != nil {
			return err
		}
		at += len(piece)
	}
	return nil
}
