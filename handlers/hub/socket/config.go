package socket

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/rate"
)

// Config holds what a Handler needs, and its limits. In every limit zero means
// the default; a negative number is refused by [New].
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Hub is whose channels are served. It is required.
	Hub *hub.Hub

	// Authenticate says who a client is. It is required: hub.Anyone lets
	// everybody in. The token is that of the command "connect" or "refresh", or, if
	// the connect has none, of the handshake: see hub.TokenOf. With a "refresh", the
	// scope has no Headers, QueryString and Subprotocols any more: what the handshake
	// said is no fresh proof.
	Authenticate hub.Authenticate

	// ConnectTimeout bounds the wait for the command "connect". Default 10 s.
	ConnectTimeout time.Duration

	// PingInterval is what clients are told: after so long without a word of the
	// server they ask whether it is still there, for browsers do not show them the
	// pings of WebSocket. Default 25 s: proxies close what is silent for 30 s and
	// more.
	PingInterval time.Duration

	// MaxMessageBytes bounds one message of a client; a longer one closes the
	// connection with 1009. Default: three times the hub's MaxPublishBytes and
	// 16 KiB, for what JSON escapes takes twice the bytes, Base64 a third more.
	MaxMessageBytes int

	// CommandRate and CommandBurst bound the commands of one connection, per second
	// in the long run, and at once. The next connection of its user has no more at once
	// than this one has left, but half of the burst at least; clients without a name
	// begin anew. What is published is not counted, for the hub has a rate for it, but
	// what it refuses is. Default 20 and 300: a page that comes back subscribes to all
	// it had.
	CommandRate  float64
	CommandBurst int

	// MaxFaults is how many mistakes, or commands above the rate, close a
	// connection with 1008; FaultPeriod is the time in which one is forgiven. What
	// is above the rate only because of connections before this one does not count.
	// Default 10 and 10 s: a right program has none, a wrong one has many.
	MaxFaults   int
	FaultPeriod time.Duration
}

// commands is the limit of commands.
func (c *Config) commands() rate.Limit { return rate.PerSecond(c.CommandRate, c.CommandBurst) }

// withDefaults returns c with every default put in, or an error that names what
// makes no sense.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Hub == nil:
		return c, errors.New("socket: Config.Hub is required")
	case c.Authenticate == nil:
		return c, errors.New("socket: Config.Authenticate is required: hub.Anyone lets everybody in")
	}
	for name, limit := range map[string]float64{
		"ConnectTimeout": float64(c.ConnectTimeout), "PingInterval": float64(c.PingInterval),
		"MaxMessageBytes": float64(c.MaxMessageBytes), "CommandRate": c.CommandRate,
		"CommandBurst": float64(c.CommandBurst), "MaxFaults": float64(c.MaxFaults), "FaultPeriod": float64(c.FaultPeriod),
	} {
		if limit < 0 {
			return c, fmt.Errorf("socket: %s is negative", name)
		}
		if math.IsNaN(limit) || math.IsInf(limit, 0) {
			return c, fmt.Errorf("socket: %s is no number", name)
		}
	}
	standard(&c.ConnectTimeout, 10*time.Second)
	standard(&c.PingInterval, 25*time.Second)
	standard(&c.MaxMessageBytes, 3*c.Hub.Config().MaxPublishBytes+16<<10)
	standard(&c.CommandRate, 20)
	standard(&c.CommandBurst, 300)
	standard(&c.MaxFaults, 10)
	standard(&c.FaultPeriod, 10*time.Second)
	return c, nil
}

func standard[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
