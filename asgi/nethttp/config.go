package nethttp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/internal/engine"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/eventloop/descriptors"
)

// Config says what to serve and within which limits. The zero value of every
// field but Handler is a safe default; a negative duration switches the timeout
// off.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Handler is the application. Required.
	Handler asgi.Handler

	// Logger takes what goes wrong. It and AccessLog are called on the goroutines
	// of connections, which a handler that waits for its writer holds up. Package
	// logsink has a writer that does not wait. Default: slog.Default().
	Logger *slog.Logger

	// AccessLog takes one record per finished request and WebSocket. What net/http
	// itself cannot read, and answers with 400, 431 or 501, it tells nobody, so
	// that there is no record. Default: nil, no access log.
	AccessLog *slog.Logger

	// Name is the value of the Server header of responses that have none.
	// Default: "gale". "-" sends no such header.
	Name string

	// RootPath is where the application is mounted, as WSGI's SCRIPT_NAME: a
	// prefix that http.StripPrefix or a proxy has taken off and every scope's
	// Path begins with again. Default: "".
	RootPath string

	// Headers are added to every final response, each where the application has no
	// field of its name. Default: none.
	Headers []asgi.Header

	// TrustedProxies are the peers that are believed when they say in
	// X-Forwarded-For and X-Forwarded-Proto who is behind them and by which scheme:
	// addresses, networks ("10.0.0.0/8"), "unix" for who comes over a Unix socket,
	// "*" for everybody. Scope.Client is then the last address of the former that
	// is no trusted proxy, with port 0. Default: none, as every client can send
	// these fields.
	TrustedProxies []string

	// AllowedOrigins are the foreign origins whose pages may open a WebSocket,
	// each "scheme://host[:port]", in which "*." before a host stands for all names
	// below it; "*" is any. Default: none, only the server's
	// own origin and clients that send no Origin, so that no other site can
	// speak with a visitor's cookies (RFC 6455 §10.2).
	AllowedOrigins []string

	// WebSocket holds the limit of a message, in bytes after inflation.
	WebSocket websocket.Config

	// Compression negotiates permessage-deflate. Default: off, as a compressor
	// costs hundreds of KiB while it works.
	Compression bool

	// MaxBodyBytes bounds a request body; beyond it the answer is 413, before
	// the body when Content-Length tells. Default: 1 GiB. Negative: unlimited,
	// as bodies pass through and are never gathered here.
	MaxBodyBytes int64

	// MaxTargetBytes bounds the request target in bytes; beyond it the answer is
	// 414. Default: 16 KiB, as RFC 9112 §3 asks for 8000 at least, and OAuth and
	// SAML redirects exceed that. Negative: no limit but that of the head.
	MaxTargetBytes int

	// MaxFields bounds the number of header fields of a request; beyond it the
	// answer is 431. Default: 100, the custom of servers. net/http has no such
	// limit, so the fields have been parsed by then, within MaxHeadBytes.
	// Negative: no limit but that of the head.
	MaxFields int

	// HighWatermark is the number of bytes waiting for the socket above which an
	// exchange is congested. Default: 256 KiB, what a fast path has in flight.
	// Once congested it is writable again at LowWatermark; default: a quarter of
	// HighWatermark.
	HighWatermark, LowWatermark int

	// OutboxBytes bounds the bytes waiting for the socket: an application that
	// sends on above it, in spite of congestion, loses the connection. Default:
	// 1 MiB. Negative: no bound.
	OutboxBytes int

	// MailboxTasks bounds how many posted functions may wait per exchange; a
	// further Post is refused. Default: 65,536 (512 KiB of queue), as posters are
	// expected to have their own, smaller bounds. Negative: no bound.
	MailboxTasks int

	// WriteTimeout bounds the time in which a write of at most 128 KiB must
	// succeed. Default 30 s: slower is a peer that does not read.
	WriteTimeout time.Duration

	// MinBodyRate is the bytes per second a request body must keep up over
	// every BodyRatePeriod while the application receives. Default 240 bytes:
	// far below any honest link. Negative: no minimum.
	MinBodyRate int

	// BodyRatePeriod is the period of MinBodyRate. Default 10 s: spans the
	// stalls of a mobile link. Negative: no minimum rate.
	BodyRatePeriod time.Duration

	// PingInterval is the silence after which a WebSocket peer gets a ping; any
	// byte from it counts as life. Default 25 s: below the 30 s after which the
	// strictest proxies drop a silent connection.
	PingInterval time.Duration

	// PongTimeout bounds the wait for any byte after a ping; the connection is
	// then closed with 1011. Default 20 s. Negative: pings only keep proxies
	// from dropping the connection.
	PongTimeout time.Duration

	// CloseTimeout bounds the wait for an application off the loop to answer what
	// came before the peer's close, for the peer's close frame after ours, and
	// then for the end of its stream. Default 5 s: a round trip and a busy peer.
	CloseTimeout time.Duration

	// DepartTimeout bounds the time in which the application takes what a client
	// sent before it ended its stream, of a body or in messages; then the client
	// counts as gone. Default 1 s: whoever is only a little behind loses nothing,
	// and nobody works for long for a client that has left.
	DepartTimeout time.Duration

	// LifespanTimeout bounds each of startup and shutdown. Default 60 s.
	LifespanTimeout time.Duration

	// Strict makes events after completion an *asgi.OrderError instead of
	// ignoring them: for tests of applications.
	Strict bool

	// The rest is for Server; a Handler under another http.Server has that
	// server's settings.

	// TLS makes every listener speak TLS, and HTTP/2 where the client does.
	// Default: nil, plain TCP. It needs a certificate, and is not changed.
	TLS *tls.Config

	// MaxConns is the number of connections at the same time; a further one is
	// answered with 503, under TLS closed. Default: the limit of open files, less
	// what is open when the server starts, less a sixteenth (at least 16, at most
	// 1024) for what is opened later, such as files and pipes; at most 1,048,576.
	// If descriptors run out all the same, what is open is counted again, and then
	// once a second, when there are that many connections, until there is as much
	// room as at the start. With no room for a connection, Listen fails. Negative: no cap, so that
	// accepting pauses when descriptors run out.
	MaxConns int

	// HeadTimeout bounds the time for a request head. Default 10 s: a head is
	// one packet or a few; slower is a slowloris.
	HeadTimeout time.Duration

	// MaxHeadBytes bounds a request head; beyond it the answer is 431. Default:
	// 64 KiB, what browsers and proxies with large cookies need; net/http adds
	// 4 KiB.
	MaxHeadBytes int

	// KeepAliveTimeout bounds the idle time between requests. Default 75 s:
	// above the 60 s that load balancers keep connections, so that it is the
	// balancer which closes first.
	KeepAliveTimeout time.Duration

	// DrainTimeout bounds the time between being told to stop and dropping what
	// is still open. Default 10 s: what supervisors wait for a process that they
	// have told to stop. Negative: no bound, and gale.drain has the zero time as
	// its deadline.
	DrainTimeout time.Duration

	proxies *engine.Proxies // TrustedProxies
}

// withDefaults returns a copy with every default filled in.
func (c Config) withDefaults() (_ Config, err error) {
	if c.Handler == nil {
		return c, errors.New("nethttp: Config.Handler is nil")
	}
	if err := engine.CheckMount(c.RootPath, c.AllowedOrigins); err != nil {
		return c, fmt.Errorf("nethttp: %w", err)
	}
	if err := http1.CheckDefaults(c.Headers); err != nil {
		return c, fmt.Errorf("nethttp: Config.Headers: %w", err)
	}
	if c.proxies, err = engine.NewProxies(c.TrustedProxies); err != nil {
		return c, fmt.Errorf("nethttp: Config.TrustedProxies: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Name = engine.ServerName(c.Name)
	c.setLimits()
	if c.LowWatermark > c.HighWatermark || c.HighWatermark > c.OutboxBytes || c.LowWatermark < 0 {
		return c, errors.New("nethttp: Config: LowWatermark, HighWatermark and OutboxBytes must rise in this order")
	}
	return c, nil
}

func (c *Config) setLimits() {
	standard(&c.WebSocket.MaxMessageBytes, 16<<20, math.MaxInt64)
	standard(&c.MaxBodyBytes, 1<<30, math.MaxInt64)
	standard(&c.MaxTargetBytes, 16<<10, math.MaxInt)
	standard(&c.MaxFields, 100, math.MaxInt)
	standard(&c.OutboxBytes, engine.OutboxBytes, math.MaxInt)
	standard(&c.HighWatermark, engine.HighWatermark(c.OutboxBytes), math.MaxInt)
	standard(&c.LowWatermark, c.HighWatermark/4, -1)
	standard(&c.MailboxTasks, 1<<16, math.MaxInt)
	standard(&c.MinBodyRate, engine.MinBodyRate, 0)
	standard(&c.MaxConns, max(1, descriptors.Room(0)), math.MaxInt)
	standard(&c.MaxHeadBytes, 64<<10, 16<<20)
	standard(&c.WriteTimeout, 30*time.Second, 0)
	standard(&c.BodyRatePeriod, engine.BodyRatePeriod, 0)
	standard(&c.PingInterval, engine.PingInterval, 0)
	standard(&c.PongTimeout, engine.PongTimeout, 0)
	standard(&c.CloseTimeout, engine.CloseTimeout, 0)
	standard(&c.DepartTimeout, engine.DepartTimeout, 0)
	standard(&c.LifespanTimeout, engine.LifespanTimeout, 0)
	standard(&c.HeadTimeout, engine.HeadTimeout, 0)
	standard(&c.KeepAliveTimeout, engine.KeepAliveTimeout, 0)
	standard(&c.DrainTimeout, engine.DrainTimeout, 0)
}

// standard puts in the default for zero, and none for what is negative.
func standard[T int | int64 | time.Duration](v *T, value, none T) {
	switch {
	case *v == 0:
		*v = value
	case *v < 0:
		*v = none
	}
}
