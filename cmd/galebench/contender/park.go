package contender

import (
	"context"
	"strconv"
	"sync"

	"github.com/gale-server/gale/asgi"
)

// waits are the requests for /park, until there is one for /release; /parked counts
// them.
var waits parking

type parking struct {
	mu      sync.Mutex
	count   int
	waiting []func() // what is to be done for those who wait
}

// park counts a request that waits. release is called when it may go on, from any
// goroutine.
func (p *parking) park(release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	p.waiting = append(p.waiting, release)
}

func (p *parking) parked() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strconv.AppendInt(nil, int64(p.count), 10)
}

func (p *parking) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, release := range p.waiting {
		release()
	}
	p.waiting = nil
}

// open begins a request in event form. It is false for one that is answered at once.
func (p *parking) open(path string, x asgi.Exchange) (waits bool) {
	switch path {
	case "/park":
		p.park(func() {
			asgi.LoopOf(x).Post(func() {
				_ = x.Send(responseStart)
				_ = x.Send(responseBody)
			})
		})
		return true
	case "/parked":
		_ = x.Send(responseStart)
		_ = x.Send(&asgi.HTTPResponseBody{Body: p.parked()})
		return true
	case "/release":
		p.release()
	}
	return false
}

// serveParked is the same in coroutine form.
func serveParked(ctx context.Context, path string, send asgi.Send) error {
	body := responseBody
	switch path {
	case "/park":
		_, err := asgi.Await(ctx, func(done func(struct{}, error)) { waits.park(func() { done(struct{}{}, nil) }) })
		if err != nil {
			return err
		}
	case "/parked":
		body = &asgi.HTTPResponseBody{Body: waits.parked()}
	case "/release":
		waits.release()
	}
	if err := send(ctx, responseStart); err != nil {
		return err
	}
	return send(ctx, body)
}
