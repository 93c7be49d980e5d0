package sse

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
)

// Config says whose messages are streamed, and to whom. In every field but the
// first two zero means the default; a negative number is refused by [New] unless
// the field says what it means.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Hub has the messages. Required.
	Hub *hub.Hub

	// Authenticate says who a client is. Required: hub.Anyone lets everybody in.
	Authenticate hub.Authenticate

	// Cursors signs the IDs of events. Transports that share one go on with each
	// other's. Default: one with a random secret, whose cursors end with the process:
	// who comes back with one gets a gap.
	Cursors *cursor.Signer

	// ProofAge is how long the ID of a message stands for the call of Authenticate,
	// from the message's time on; less if the identity expires before. A stream is
	// authenticated anew whatever its ID says; this is for polls that go on where
	// a stream has ended. Default 5 min.
	ProofAge time.Duration

	// AllowedOrigins are the foreign origins whose pages may read a stream, as of
	// [cors.New]: each "scheme://host[:port]", in which the host may begin with "*.", or
	// "*" for any, and then without cookies. Default: none.
	AllowedOrigins []string

	// Heartbeat, MaxAge and Retry are as in Options, and so are their defaults and
	// what negative means.
	Heartbeat time.Duration
	MaxAge    time.Duration
	Retry     time.Duration
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Hub == nil:
		return c, errors.New("sse: Config.Hub is nil")
	case c.Authenticate == nil:
		return c, errors.New("sse: Config.Authenticate is nil; hub.Anyone lets everybody in")
	case c.ProofAge < 0:
		return c, errors.New("sse: Config.ProofAge is negative")
	case c.ProofAge == 0:
		c.ProofAge = 5 * time.Minute
	}
	if c.Cursors == nil {
		secret := make([]byte, 32)
		rand.Read(secret) // never fails
		cursors, err := cursor.New(secret)
		if err != nil {
			return c, err
		}
		c.Cursors = cursors
	}
	return c, nil
}
