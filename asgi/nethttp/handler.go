package nethttp

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
	"github.com/gale-server/gale/asgi/websocket"
)

// Handler serves one application as an http.Handler, under any http.Server:
//
//	h, err := nethttp.NewHandler(nethttp.Config{Handler: app})
//	mux.Handle("/chat/", h)
//
// It panics with http.ErrAbortHandler to cut a response that cannot be
// completed, as net/http wants it; middleware must let that pass.
//
// An http.Server knows nothing of lifespans. Who wants one calls Startup before
// the first request and Shutdown after the last one, with Drain in between;
// [Server] does.
//
// Safe for concurrent use, but for Startup, which comes first.
type Handler struct {
	cfg   Config
	state map[string]any   // of the lifespan; set by Startup
	life  *engine.Lifespan // nil before Startup
	owner *http.Server     // of the Server this is a part of; nil else

	mu    sync.Mutex
	open  map[*exchange]standing
	drain *asgi.Drain   // not nil once the server is about to stop
	moved chan struct{} // closed when an exchange moves on; made by await

	late    map[interface{ Abandon() }]*exchange // who goes on after an exchange
	stopped bool                                 // nobody does any more
}

// standing is where an exchange stands, to a drain.
type standing uint8

const (
	active    standing = iota + 1
	closing            // a WebSocket whose close frame is written; the peer's is awaited
	lingering          // over but for the peer's end of the connection
)

// NewHandler checks cfg and makes a handler.
func NewHandler(cfg Config) (*Handler, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Handler{cfg: cfg, open: map[*exchange]standing{}, late: map[interface{ Abandon() }]*exchange{}}, nil
}

// ServeHTTP opens an exchange for the request, and returns when its response is
// complete or its WebSocket closed. The application may go on after that.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, err := h.judge(r)
	if err != nil {
		h.cfg.Logger.Debug("bad request", "client", r.RemoteAddr, "error", err)
		log := h.unknownRecord(r)
		h.refuse(w, r, &log, engine.StatusOf(err), nil)
		return
	}
	scope := h.makeScope(r, path)
	if isUpgrade(r, scope) {
		h.serveWebSocket(w, r, scope)
	} else {
		h.serveHTTP(w, r, scope)
	}
}

// isUpgrade reports whether a request asks for a WebSocket: not in HTTP/1.0 and
// not in HTTP/2, and what has a body is an ordinary request
// (https://www.rfc-editor.org/rfc/rfc9110#section-7.8).
func isUpgrade(r *http.Request, scope *asgi.Scope) bool {
	return r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) && r.ContentLength == 0 && websocket.IsUpgrade(scope.Headers)
}

// refuse answers in place of the application, which never hears of the request.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, log *record, status int, headers []asgi.Header) {
	s := response{h: h, r: r, head: r.Method == http.MethodHead}
	s.answer(status, headers)
	s.write(w, func() {}, func(error) {})
	h.writer(w, r).restore()
	h.access(log, status, s.bytes)
}

// enroll notes an open exchange, and returns the drain that is under way.
func (h *Handler) enroll(x *exchange) *asgi.Drain {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !x.over {
		h.open[x] = active
	}
	return h.drain
}

// advance notes that an open exchange has come further.
func (h *Handler) advance(x *exchange, to standing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at := h.open[x]; at != 0 && at < to {
		h.open[x] = to
		h.tell()
	}
}

func (h *Handler) forget(x *exchange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, x)
	h.tell()
}

func (h *Handler) tell() {
	if h.moved != nil {
		close(h.moved)
		h.moved = nil
	}
}

// await blocks until none of the open exchanges stands at one of these.
func (h *Handler) await(ctx context.Context, none ...standing) error {
	for {
		h.mu.Lock()
		if h.moved == nil {
			h.moved = make(chan struct{})
		}
		moved, left := h.moved, false
		for _, at := range h.open {
			left = left || slices.Contains(none, at)
		}
		h.mu.Unlock()
		if !left {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// draining returns the drain under way, or nil.
func (h *Handler) draining() *asgi.Drain {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.drain
}

// Drain announces the end to every open exchange and to those still to come,
// closes WebSockets with 1012, spread over the first half of the time there is,
// and blocks until no exchange is left. The time is that of ctx, or
// Config.DrainTimeout; at its end Drain returns ctx's error and what is left
// goes on. It is called once.
func (h *Handler) Drain(ctx context.Context) error {
	ctx, cancel := h.drainTime(ctx)
	defer cancel()
	d := &asgi.Drain{}
	d.Deadline, _ = ctx.Deadline()
	h.mu.Lock()
	h.drain = d
	for x := range h.open {
		x.post(func() { x.self.(drainer).announceDrain(d) })
	}
	h.mu.Unlock()
	return h.await(ctx, active, closing)
}

// drainTime bounds ctx by Config.DrainTimeout, if it has no bound of its own.
func (h *Handler) drainTime(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok || h.cfg.DrainTimeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, h.cfg.DrainTimeout)
}

// drainer is an exchange of either protocol.
type drainer interface {
	announceDrain(d *asgi.Drain)
	abort()
}

// abandonLate has everybody who goes on after an exchange come to an end.
func (h *Handler) abandonLate() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for a, x := range h.late {
		x.post(a.Abandon)
	}
}

// drop cuts off every exchange that is still there, and returns how many had
// not come to their end by then.
func (h *Handler) drop() (unfinished int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for x, at := range h.open {
		x.post(x.self.(drainer).abort)
		if at == active {
			unfinished++
		}
	}
	return unfinished
}
