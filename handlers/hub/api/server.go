package api

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
)

// Server is the API of servers: what a backend asks of a hub.
//
// Safe for concurrent use: immutable.
type Server struct {
	config Config
	keys   [][sha256.Size]byte
}

// New returns the handler, to be mounted under a prefix.
func New(config Config) (*Server, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{config: c}
	for _, key := range c.Keys {
		s.keys = append(s.keys, sha256.Sum256([]byte(key)))
	}
	return s, nil
}

// route is what a path does: get, or post with the body.
type route struct {
	get  func(s *Server, c *call)
	post func(s *Server, c *call, body []byte)
}

var routes = map[string]route{
	"/publish":     {post: (*Server).publish},
	"/batch":       {post: (*Server).batch},
	"/broadcast":   {post: (*Server).broadcast},
	"/history":     {get: (*Server).history},
	"/members":     {get: (*Server).members},
	"/disconnect":  {post: (*Server).disconnect},
	"/unsubscribe": {post: (*Server).unsubscribe},
	"/forget":      {post: (*Server).forget},
	"/stats":       {get: (*Server).stats},
}

//go:embed openapi.json
var description string

// describe answers with the description, in which the server is where it is mounted.
func describe(scope *asgi.Scope, x asgi.Exchange) {
	where, err := json.Marshal(scope.RootPath)
	if err != nil {
		panic(err) // a string can be marshalled
	}
	text := strings.Replace(description, `"url": ""`, `"url": `+string(where), 1)
	_ = handlers.Respond(x, 200, []byte(text), // an error means that nobody is there
		asgi.Header{Name: "content-type", Value: "application/json"},
		asgi.Header{Name: "cache-control", Value: "no-cache"},
		asgi.Header{Name: "x-content-type-options", Value: "nosniff"})
}

// Open implements [asgi.Handler].
func (s *Server) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type != asgi.ScopeHTTP {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	c := &call{x: x, scope: scope}
	path := handlers.Path(scope)
	if path == "/openapi.json" {
		if scope.Method != "GET" && scope.Method != "HEAD" {
			c.only("GET, HEAD")
			return c
		}
		describe(scope, x)
		return nil
	}
	if !s.knows(scope) {
		c.fail(errKey)
		return c
	}
	r, ok := routes[path]
	switch {
	case !ok:
		c.fail(&hub.Error{Code: hub.NotFound, Text: "there is no such path; see openapi.json"})
	case r.get != nil && (scope.Method == "GET" || scope.Method == "HEAD"):
		r.get(s, c)
	case r.get != nil:
		c.only("GET, HEAD")
	case scope.Method != "POST":
		c.only("POST")
	default:
		return c.read(s.config.MaxBodyBytes, func(body []byte) { r.post(s, c, body) })
	}
	return c
}

var errKey = &hub.Error{Code: hub.BadToken, Text: "a key is needed: Authorization: Bearer, and one of the server's keys"}

// knows reports whether a request shows one of the keys. It takes as long for one
// as for another; a key in the query, which ends up in logs, does not count.
func (s *Server) knows(scope *asgi.Scope) bool {
	value, _ := scope.Header("authorization")
	scheme, key, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	sum := sha256.Sum256([]byte(strings.TrimLeft(key, " ")))
	known := 0
	for i := range s.keys {
		known |= subtle.ConstantTimeCompare(sum[:], s.keys[i][:])
	}
	return known == 1
}
