package nethttp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
)

// record is what the logs say about one exchange.
type record struct {
	began    time.Time // zero without an access log
	protocol asgi.ScopeType
	method   string
	path     string
	client   string
}

func (h *Handler) newRecord(s *asgi.Scope) record {
	r := record{protocol: s.Type, method: s.Method, path: s.RawPath, client: s.Client.Host}
	if s.Type == asgi.ScopeWebSocket {
		r.method = "WEBSOCKET"
	}
	if h.cfg.AccessLog != nil {
		r.began = time.Now()
	}
	return r
}

// unknownRecord is that of a request that was refused before it had a scope.
// Nothing that the peer sent is in it.
func (h *Handler) unknownRecord(r *http.Request) record {
	return h.newRecord(&asgi.Scope{Type: asgi.ScopeHTTP, Method: unknown, RawPath: unknown, Client: parseAddress(r.RemoteAddr)})
}

// unknown stands for what a request did not come to say.
const unknown = "-"

// access logs the record, once. status is that of the response, or the close
// code of a WebSocket; 0 means that there was none.
func (h *Handler) access(r *record, status int, bytes int64) {
	if r.began.IsZero() {
		return
	}
	h.cfg.AccessLog.LogAttrs(context.Background(), slog.LevelInfo, "access",
		slog.String("client", r.client),
		slog.String("method", r.method),
		slog.String("path", r.path),
		slog.Int("status", status),
		slog.Int64("bytes", bytes),
		slog.Duration("took", time.Since(r.began)))
	r.began = time.Time{}
}

// failure logs how an application failed; a panic with its stack. What is the
// peer's doing is no failure.
func (h *Handler) failure(r *record, err error) {
	attrs := []slog.Attr{
		slog.String("protocol", string(r.protocol)),
		slog.String("client", r.client),
		slog.String("path", r.path),
		slog.Any("error", err),
	}
	var p *asgi.PanicError
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	if engine.OfRequest(err) {
		h.cfg.Logger.LogAttrs(context.Background(), slog.LevelInfo, "request refused", attrs...)
		return
	}
	h.cfg.Logger.LogAttrs(context.Background(), slog.LevelError, "application failed", attrs...)
}
