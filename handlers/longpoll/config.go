package longpoll

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
)

// Config says whose messages are polled for, by whom and within which limits. In
// every field but the first two zero means the default; a negative number is
// refused by [New] unless the field says what it means.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Hub has the messages. Required.
	Hub *hub.Hub

	// Authenticate says who a client is. Required: hub.Anyone lets everybody in.
	Authenticate hub.Authenticate

	// Cursors signs the cursors. Transports that share one go on with each other's.
	// Default: one with a random secret, whose cursors end with the process.
	Cursors *cursor.Signer

	// ProofAge is how long a cursor, and those that follow it, stand for the
	// call of Authenticate that the first was made with; less if the identity
	// expires before. Default 5 min: what a reconnecting client may take, and
	// somebody who was locked out must not exceed.
	ProofAge time.Duration

	// AllowedOrigins are the foreign origins whose pages may read answers, as of
	// [cors.New]: each "scheme://host[:port]", in which the host may begin with "*.", or
	// "*" for any, and then without cookies. Default: none.
	AllowedOrigins []string

	// Wait is how long a poll waits that does not say. Default 25 s: below the
	// 30 s of the strictest proxies.
	Wait time.Duration

	// MaxWait bounds what a client may ask for. Default 55 s: below the 60 s of
	// most proxies.
	MaxWait time.Duration

	// MaxMessages and MaxBytes (of messages as they are sent) bound an answer; one
	// message always fits. Default 100 and 256 KiB.
	MaxMessages int
	MaxBytes    int

	// Linger is how long a parked poll waits for further messages once the first
	// has come, with the resolution of the loop's timers. Default: only for those
	// that come in the same turn of the loop.
	Linger time.Duration

	// MaxParked bounds the polls that wait; one more is answered with 503 and
	// Retry-After. Default 200,000: some 500 MiB.
	MaxParked int

	// PollRate and PollBurst bound the polls of one user and sid, in polls per
	// second in the long run, and at once. One above is answered without waiting,
	// and told when to come back. Polls with neither user nor sid are not
	// counted: behind a proxy they look alike. Default 10 and 2. A negative
	// PollRate is no bound.
	PollRate  float64
	PollBurst int
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Hub == nil:
		return c, errors.New("longpoll: Config.Hub is nil")
	case c.Authenticate == nil:
		return c, errors.New("longpoll: Config.Authenticate is nil; hub.Anyone lets everybody in")
	}
	for name, limit := range map[string]int64{
		"ProofAge": int64(c.ProofAge), "Wait": int64(c.Wait), "MaxWait": int64(c.MaxWait), "MaxMessages": int64(c.MaxMessages),
		"MaxBytes": int64(c.MaxBytes), "Linger": int64(c.Linger), "MaxParked": int64(c.MaxParked), "PollBurst": int64(c.PollBurst),
	} {
		if limit < 0 {
			return c, fmt.Errorf("longpoll: Config.%s is negative", name)
		}
	}
	if math.IsNaN(c.PollRate) || math.IsInf(c.PollRate, 0) {
		return c, errors.New("longpoll: Config.PollRate is no number")
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
	standard(&c.ProofAge, 5*time.Minute)
	standard(&c.Wait, 25*time.Second)
	standard(&c.MaxWait, 55*time.Second)
	standard(&c.MaxMessages, 100)
	standard(&c.MaxBytes, 256<<10)
	standard(&c.MaxParked, 200_000)
	standard(&c.PollRate, 10)
	standard(&c.PollBurst, 2)
	c.Wait = min(c.Wait, c.MaxWait)
	return c, nil
}

func standard[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
