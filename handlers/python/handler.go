package python

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
)

// Handler is an application of Python: an asgi.Handler for HTTP, WebSockets and the
// lifespan. It is started and stopped by the lifespan of its server, or by Start and
// Stop.
//
// Safe for concurrent use.
type Handler struct {
	config  Config
	pool    *pool
	waiting waiting
	drained sync.Once
	asking  atomic.Int64   // questions of Ask that are not answered
	spooled atomic.Int64   // bytes that are kept of requests and responses of WSGI
	disk    sync.WaitGroup // goroutines that wait for it

	loops sync.Map // asgi.Loop to *loopLinks, of loops that serve sockets
	pumps pumps    // for the others
}

// New returns a Handler. It starts nothing.
func New(config Config) (*Handler, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler{config: config}
	h.pool = newPool(&h.config)
	h.waiting.most = config.MaxWaiting
	h.pool.onReady = h.waiting.wake
	h.pool.extensions = extensions
	return h, nil
}

// Start starts the workers, and returns when all are ready, or with the reason why the
// first one does not start: then nothing is left of them. It blocks for at most
// Config.StartTimeout.
func (h *Handler) Start(ctx context.Context) error { return h.pool.start(ctx) }

// Stop ends the workers: what they do, their lifespan, and their processes, of which
// nothing is left when it returns. It blocks for at most Config.StopTimeout and a little.
func (h *Handler) Stop(ctx context.Context) error {
	err := h.pool.stop(ctx)
	h.waiting.wake()
	h.disk.Wait()
	return err
}

// Reload replaces the workers, one by one, by some with the code as it is now. Requests
// go on; what a worker has begun it ends. If the new code does not start, that is the
// error, and the old workers serve on.
func (h *Handler) Reload(ctx context.Context) error { return h.pool.reload(ctx) }

// Run has a handler that the application registered with @gale.job run a job on the
// worker that has the fewest, and returns what it returned. Nothing is tried twice. It
// blocks until the job is done or ctx is over.
//
// The error is a [*JobError] if the handler raised, a [*CrashError] if its worker died,
// or wraps ErrUnknownJob, ErrBusy, ErrTooLarge, ErrClosed, or that of ctx.
func (h *Handler) Run(ctx context.Context, name string, payload []byte) ([]byte, error) {
	return h.pool.run(ctx, name, payload)
}

// Open begins an exchange.
func (h *Handler) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	switch scope.Type {
	case asgi.ScopeHTTP:
		if h.isWSGI() {
			return h.openWSGI(scope, x)
		}
		return h.openHTTP(scope, x)
	case asgi.ScopeWebSocket:
		if h.isWSGI() {
			return handlers.Refuse(scope, x, 404, "no WebSocket here\n")
		}
		return h.openWebSocket(scope, x)
	case asgi.ScopeLifespan:
		return handlers.Lifespan(h.Start, h.Stop).Open(scope, x)
	}
	x.End(asgi.ErrUnsupportedScope)
	return nil
}

// isWSGI reports what the application is: what the worker that was ready last has said,
// also while none is.
func (h *Handler) isWSGI() bool { return h.pool.wsgi.Load() || h.config.Mode == "wsgi" }

// drain tells the workers, once, that the server is about to stop.
func (h *Handler) drain(ev *asgi.Drain) {
	h.drained.Do(func() {
		within := time.Duration(noLimit)
		if !ev.Deadline.IsZero() {
			within = time.Until(ev.Deadline)
		}
		h.pool.drain(within)
	})
}

func (h *Handler) openHTTP(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	r := &request{scope: scope}
	r.h, r.x = h, x
	if h.assign(&r.spoken) {
		return r
	}
	x.Pause()
	r.waiter = h.wait(x, func() bool {
		if !h.assign(&r.spoken) {
			return false
		}
		x.Resume()
		return true
	}, func(why error) { r.finished = true; unavailable(x, why) })
	if r.waiter == nil {
		return nil
	}
	return r
}

func (h *Handler) openWebSocket(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	w := &webSocket{scope: scope}
	w.h, w.x = h, x
	if h.assign(&w.spoken) {
		return w
	}
	w.waiter = h.wait(x, func() bool {
		if !h.assign(&w.spoken) {
			return false
		}
		w.send()
		return true
	}, func(error) { w.finished = true; w.refuse(503, unavailableText) })
	if w.waiter == nil {
		return nil
	}
	return w
}

const unavailableText = "the application is not ready\n"

// unavailable answers a request that no worker takes.
func unavailable(x asgi.Exchange, _ error) {
	_ = handlers.Respond(x, 503, []byte(unavailableText), asgi.Header{Name: "retry-after", Value: "1"})
	x.End(nil)
}

// assign chooses a worker for a stream, and the link to it. It is false if there is none
// that takes more.
func (h *Handler) assign(s *spoken) bool {
	loop := asgi.LoopOf(s.x)
	links := h.linksOf(loop)
	var room func(*worker, bool) int32
	if h.isWSGI() {
		room = h.threads
	}
	for range 3 { // one that was chosen may just be retiring, or dead
		w := h.pool.choose(room)
		if w == nil {
			return false
		}
		if !w.begin() {
			continue
		}
		var l *link
		var err error
		if links != nil {
			l, err = links.to(h, w)
		} else {
			l, err = h.pumps.to(h, w)
			s.loop = loop
		}
		if err != nil || l.full() {
			w.end()
			continue
		}
		s.worker, s.link = w, l
		return true
	}
	return false
}

// loopLinks are the links of one loop.
//
// Loop-owned: call only from its loop.
type loopLinks struct {
	loop  asgi.Loop
	links map[*worker]*link
	empty func()
}

// linksOf returns the links of a loop, or nil if it serves no sockets.
func (h *Handler) linksOf(loop asgi.Loop) *loopLinks {
	if l, ok := h.loops.Load(loop); ok {
		return l.(*loopLinks)
	}
	if loop.Attach(nil, nil) != nil {
		return nil
	}
	l := &loopLinks{loop: loop, links: make(map[*worker]*link)}
	l.empty = func() { h.loops.Delete(loop) }
	h.loops.Store(loop, l)
	return l
}

func (ls *loopLinks) to(h *Handler, w *worker) (*link, error) {
	if l, ok := ls.links[w]; ok {
		return l, nil
	}
	l, err := w.open(h, ls.loop, func(*link) {
		if delete(ls.links, w); len(ls.links) == 0 {
			ls.empty()
		}
	})
	if err == nil {
		ls.links[w] = l
	}
	return l, err
}

// lateAfter is how long a worker may leave a message before it counts as busy.
const lateAfter = 3 * time.Millisecond

// choose returns the worker that is to have the next request: one that has begun with
// all that it was given, and of these the one with the fewest unanswered requests.
// room says how many it may have, or is nil.
func (p *pool) choose(room func(w *worker, late bool) int32) *worker {
	ready := p.ready()
	if len(ready) == 1 && room == nil {
		return ready[0]
	}
	var best *worker
	var bestLate time.Duration
	var bestPending int32
	now := time.Now().UnixNano()
	for _, w := range ready {
		if w.retiring() {
			continue
		}
		var late time.Duration
		if since := w.load.unseen.Load(); since != 0 {
			if late = time.Duration(now - since); late < lateAfter {
				late = 0
			}
		}
		pending := w.load.pending.Load()
		if room != nil && pending >= room(w, late > 0) {
			continue
		}
		if best == nil || late < bestLate || late == bestLate && pending < bestPending {
			best, bestLate, bestPending = w, late, pending
		}
	}
	return best
}

// batchOf is how many requests a WSGI worker may have that it has not answered, if it is
// quick: it takes them in batches.
const batchOf = 64

// threads is how many requests a WSGI worker may have. One that is late has its threads
// busy, and gets no more than they are.
func (h *Handler) threads(w *worker, late bool) int32 {
	if late {
		return int32(h.config.Threads)
	}
	return max(batchOf, int32(h.config.Threads))
}

// extensions are what gale offers, for http and websocket.
var extensions = []string{
	asgi.ExtDenialResponse, asgi.ExtEarlyHint, asgi.ExtTrailers, asgi.ExtPathSend, asgi.ExtZeroCopySend, asgi.ExtDrain,
}
