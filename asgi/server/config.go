package server

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/internal/engine"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/eventloop"
)

// Config says what to serve and within which limits. The zero value of every
// field but Handler is a safe default; a negative duration switches the timeout
// off.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Handler is the application. Required. It is opened once with a lifespan
	// scope before the first connection.
	Handler asgi.Handler

	// Logger takes what goes wrong. It and AccessLog are called on loops: a handler
	// that waits for its writer holds up every connection of its loop. Package
	// logsink has a writer that does not wait. Default: slog.Default().
	Logger *slog.Logger

	// AccessLog takes one record per finished request and WebSocket. One that is
	// refused before it can be read, with 400, 408, 414, 431, 501 or 505, is
	// recorded with "-" for its method and path. Default: nil, no access log: it
	// costs about as much as a small request itself.
	AccessLog *slog.Logger

	// Name is the value of the Server header of responses that have none.
	// Default: "gale". "-" sends no such header.
	Name string

	// RootPath is where the application is mounted, as WSGI's SCRIPT_NAME: a
	// prefix that a proxy has taken off and every scope's Path begins with
	// again. Default: "".
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

	// HTTP and WebSocket hold the limits of the protocol machines, Loop those
	// of the reactor. Loop.Open, Loop.Refusal and Loop.Logger are set here.
	HTTP      http1.Config
	WebSocket websocket.Config
	Loop      eventloop.Config

	// HeadTimeout bounds the time from a head's first byte (for a connection's
	// first request: from its accept) to its end. Default 10 s: a head is one
	// packet or a few; slower is a slowloris.
	HeadTimeout time.Duration

	// KeepAliveTimeout bounds the idle time between requests. Default 75 s:
	// above the 60 s that load balancers keep connections, so that it is the
	// balancer which closes first.
	KeepAliveTimeout time.Duration

	// MinBodyRate is the bytes per second a request body must keep up over
	// every BodyRatePeriod while the application receives. Default 240 bytes:
	// far below any honest link. Negative: no minimum.
	MinBodyRate int

	// BodyRatePeriod is the period of MinBodyRate. Default 10 s: spans the
	// stalls of a mobile link.
	BodyRatePeriod time.Duration

	// PingInterval is the silence after which a WebSocket peer gets a ping; any
	// byte from it counts as life. Default 25 s: below the 30 s after which the
	// strictest proxies drop a silent connection.
	PingInterval time.Duration

	// PongTimeout bounds the wait for any byte after a ping; the connection is
	// then closed with 1011. Default 20 s.
	PongTimeout time.Duration

	// CloseTimeout bounds the wait for the peer's close frame after ours, and
	// for an application off the loop to answer what came before the peer's close.
	// Default 5 s: a round trip and a busy peer.
	CloseTimeout time.Duration

	// DepartTimeout bounds the time in which the application takes what a client
	// sent before it ended its stream, of a body or in messages; then the client
	// counts as gone. Default 1 s: whoever is only a little behind loses nothing,
	// and nobody works for long for a client that has left.
	DepartTimeout time.Duration

	// HeldBytes bounds the bytes that were read ahead of the application, over all
	// connections: pipelined requests, and bodies and messages that are not asked
	// for. One connection holds a read at most: 64 KiB, or 256 KiB of a
	// large transfer. Beyond the bound nothing is
	// dropped, but connections are read 4 KiB at a time, which is all that one can
	// add then. Default: 64 MiB, a thousand connections with a whole read each.
	// Negative: no bound.
	HeldBytes int

	// FileReaders bounds the goroutines that fetch files from disks at the same time,
	// over all connections: each may hold a thread of the system. What is in the
	// system's memory needs none; what else is sent waits for one in turn, 512 KiB at a
	// time. Default: 32, which keeps fast disks busy. Negative: no bound.
	FileReaders int

	// LifespanTimeout bounds each of startup and shutdown. Default 60 s.
	LifespanTimeout time.Duration

	// DrainTimeout bounds the time between being told to stop and dropping what
	// is still open. Default 10 s: what supervisors wait for a process that they
	// have told to stop. Negative: no bound, and gale.drain has the zero time as
	// its deadline.
	DrainTimeout time.Duration

	// HalfClose says what the end of the client's stream means for a request
	// whose response is under way. Default: HalfCloseServes.
	HalfClose HalfClose

	// Strict makes events after completion an *asgi.OrderError instead of
	// ignoring them: for tests of applications.
	Strict bool

	proxies *engine.Proxies // TrustedProxies
}

// HalfClose is what to make of a client that has sent its request and then
// ended its stream. TCP does not tell whether it still reads.
type HalfClose uint8

const (
	// HalfCloseServes delivers the response: a client may have closed only its
	// side. That it is gone shows when something is written to it, or by the
	// kernel's probes after some minutes.
	HalfCloseServes HalfClose = iota
	// HalfCloseDisconnects takes the client for gone and tells the application
	// at once, also if a part of a next request came before the end: for servers of
	// many long polls to browsers, which close only when they leave.
	HalfCloseDisconnects
)

// withDefaults returns a copy with every default filled in.
func (c Config) withDefaults() (_ Config, err error) {
	if c.Handler == nil {
		return c, errors.New("server: Config.Handler is nil")
	}
	if err := engine.CheckMount(c.RootPath, c.AllowedOrigins); err != nil {
		return c, fmt.Errorf("server: %w", err)
	}
	if err := http1.CheckDefaults(c.Headers); err != nil {
		return c, fmt.Errorf("server: Config.Headers: %w", err)
	}
	if c.proxies, err = engine.NewProxies(c.TrustedProxies); err != nil {
		return c, fmt.Errorf("server: Config.TrustedProxies: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Name = engine.ServerName(c.Name)
	standard(&c.HeadTimeout, engine.HeadTimeout)
	standard(&c.KeepAliveTimeout, engine.KeepAliveTimeout)
	standard(&c.MinBodyRate, engine.MinBodyRate)
	standard(&c.BodyRatePeriod, engine.BodyRatePeriod)
	standard(&c.PingInterval, engine.PingInterval)
	standard(&c.PongTimeout, engine.PongTimeout)
	standard(&c.CloseTimeout, engine.CloseTimeout)
	standard(&c.DepartTimeout, engine.DepartTimeout)
	standard(&c.HeldBytes, 64<<20)
	standard(&c.FileReaders, 32)
	standard(&c.LifespanTimeout, engine.LifespanTimeout)
	standard(&c.DrainTimeout, engine.DrainTimeout)
	// A client that has its answer may still be sending what was refused, an
	// upload or a message too large; a reset would destroy the answer.
	standard(&c.Loop.LingerBytes, engine.LingerBytes)
	return c, nil
}

// standard puts in the default for zero.
func standard[T int | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}
