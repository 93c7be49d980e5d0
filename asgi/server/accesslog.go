package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
)

// accessRecord is one line of the access log in the making. Nil logs nothing.
type accessRecord struct {
	began  time.Time
	method string
	path   string
	client string
}

// beginAccess begins the record of s; nil without an access log.
func (c *conn) beginAccess(s *asgi.Scope) *accessRecord {
	if c.w.srv.cfg.AccessLog == nil {
		return nil
	}
	r := &accessRecord{began: c.sock.Now(), method: s.Method, path: s.RawPath, client: s.Client.Host}
	if s.Type == asgi.ScopeWebSocket || r.method == "" {
		r.method, r.path = "WEBSOCKET", logPath(s.RawPath)
	}
	return r
}

// maxLogPath bounds what a WebSocket keeps of its path for the log, in bytes: it
// is kept for as long as the connection lasts.
const maxLogPath = 256

// logPath is a copy of what the log says of the path of a WebSocket.
func logPath(raw string) string {
	return strings.Clone(raw[:min(len(raw), maxLogPath)])
}

// logUnknown logs a request that was refused before it had a scope, at most one
// of a conn. Nothing that the peer sent is in the record.
func (h *httpConn) logUnknown(status int) {
	if h.c.w.srv.cfg.AccessLog == nil {
		return
	}
	r := accessRecord{began: h.c.sock.Now(), method: unknown, path: unknown, client: h.client.Host}
	if h.waiting == waitHead {
		r.began = h.began
	}
	r.end(h.c, status, 0)
}

// unknown stands for what a request did not come to say.
const unknown = "-"

// end logs the record, once. status is that of the response, or the close code
// of a WebSocket; 0 means that there was none.
func (r *accessRecord) end(c *conn, status int, bytes int64) {
	if r == nil || r.began.IsZero() {
		return
	}
	c.w.srv.cfg.AccessLog.LogAttrs(context.Background(), slog.LevelInfo, "access",
		slog.String("client", r.client),
		slog.String("method", r.method),
		slog.String("path", r.path),
		slog.Int("status", status),
		slog.Int64("bytes", bytes),
		slog.Duration("took", c.sock.Now().Sub(r.began)))
	*r = accessRecord{}
}

// logFailure logs how an application failed; a panic with its stack. What is the
// peer's doing is no failure.
func (s *Server) logFailure(protocol string, client asgi.Address, path string, err error) {
	if engine.Silent(err) {
		return
	}
	attrs := []slog.Attr{
		slog.String("protocol", protocol),
		slog.String("client", client.Host),
		slog.String("path", path),
		slog.Any("error", err),
	}
	var p *asgi.PanicError
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	if engine.OfRequest(err) {
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "request refused", attrs...)
		return
	}
	s.log.LogAttrs(context.Background(), slog.LevelError, "application failed", attrs...)
}
