package api

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
)

// Config says what a [Server] serves. In every field zero means the default; a
// negative number is refused by [New].
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Hub is what is served. Required.
	Hub *hub.Hub

	// Keys are what requests must show one of ("Authorization: Bearer" and the
	// key); several, so that they can be replaced one after the other. At least
	// one is required, of 16 bytes or more.
	Keys []string

	// MaxBodyBytes bounds a body. Default 1 MiB, and never less than a message
	// needs that is as large as Config.MaxPublishBytes of the hub allows.
	MaxBodyBytes int

	// MaxBatch bounds the publications of a batch, and the channels of a
	// broadcast. Default 1000.
	MaxBatch int

	// MaxAnswer bounds the messages, and the members, of one answer; messages also
	// to 1 MiB of payloads. Default 1000.
	MaxAnswer int
}

// PublishConfig says what a [Publish] serves. In every field zero means the
// default.
//
// Safe for concurrent use while nobody changes it.
type PublishConfig struct {
	// Hub is what is published in. Required.
	Hub *hub.Hub

	// Authenticate says who publishes. Required: for everybody there is
	// [hub.Anyone].
	Authenticate hub.Authenticate

	// AllowedOrigins are the foreign origins whose pages may publish, as of
	// [cors.New]: each "scheme://host[:port]", in which the host may begin with "*.", or
	// "*" for any. Default: none, only the server's own
	// origin and clients that send no Origin.
	AllowedOrigins []string
}

const (
	minKeyBytes = 16
	// A byte of a payload takes up to six in JSON ("\u0000"); what is around it,
	// tags for example, has this much.
	maxEscaped  = 6
	maxAround   = 16 << 10
	answerBytes = 1 << 20
)

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Hub == nil:
		return c, errors.New("api: Config.Hub is nil")
	case len(c.Keys) == 0:
		return c, errors.New("api: Config.Keys is empty: the API of servers needs a key")
	case c.MaxBodyBytes < 0 || c.MaxBatch < 0 || c.MaxAnswer < 0:
		return c, errors.New("api: Config: a limit is negative")
	}
	for i, key := range c.Keys {
		if len(key) < minKeyBytes {
			return c, fmt.Errorf("api: Config.Keys[%d] has %d bytes, and needs %d", i, len(key), minKeyBytes)
		}
	}
	standard(&c.MaxBodyBytes, 1<<20)
	c.MaxBodyBytes = max(c.MaxBodyBytes, bodyOf(c.Hub))
	standard(&c.MaxBatch, 1000)
	standard(&c.MaxAnswer, 1000)
	return c, nil
}

// bodyOf is the largest body that a message needs.
func bodyOf(h *hub.Hub) int { return h.Config().MaxPublishBytes*maxEscaped + maxAround }

func standard(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}

// query returns the parameters of a request.
func query(scope *asgi.Scope) (url.Values, error) {
	q, err := url.ParseQuery(scope.QueryString)
	if err != nil {
		return nil, &hub.Error{Code: hub.BadRequest, Text: "the query is malformed"}
	}
	return q, nil
}
