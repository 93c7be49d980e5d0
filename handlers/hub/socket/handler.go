package socket

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/rate"
)

// Subprotocol is the name under which the two ends agree on the protocol.
const Subprotocol = "gale.hub.v1"

// Handler serves WebSockets: an asgi.Handler.
//
// Safe for concurrent use.
type Handler struct {
	config Config
	now    func() time.Time
	spent  *rate.Table[string] // by user: of the rate of commands, by connections that are gone

	mu       sync.Mutex
	sessions map[sessionKey]*conn // those that named one
}

// sessionKey stands for a session of a user; the zero one for none.
type sessionKey [16]byte

// New returns a Handler, or an error when the config makes no sense.
func New(config Config) (*Handler, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	settings := c.Hub.Config()
	return &Handler{
		config:   c,
		now:      settings.Now,
		spent:    rate.NewTable[string](settings.MaxRates),
		sessions: make(map[sessionKey]*conn),
	}, nil
}

// Open lets a client in that speaks the subprotocol, or names none.
func (h *Handler) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type != asgi.ScopeWebSocket {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	if len(scope.Subprotocols) > 0 && !slices.Contains(scope.Subprotocols, Subprotocol) {
		return handlers.Refuse(scope, x, 400, "the subprotocol here is "+Subprotocol+"\n")
	}
	return &conn{h: h, x: x, scope: scope}
}

// spentBy returns what the connections of a user that are gone have spent, half of the
// burst at most: a page that comes back subscribes to all it had. Who has no name has
// spent nothing: behind an address there may be many.
func (h *Handler) spentBy(user string) (b rate.Bucket) {
	if user == "" {
		return b
	}
	limit := h.config.commands()
	return h.spent.Get(user).AtMost(limit.Burst/2, h.now(), limit)
}

// enter makes a client of c: in the place of the connection that has the session,
// which ends, if c names one. If that cannot be, the other one stays.
func (h *Handler) enter(c *conn, who hub.Identity, session string) (err error) {
	if session == "" {
		c.client, err = h.config.Hub.Connect(c.x, who, (*outlet)(c))
		return err
	}
	sum := sha256.Sum256([]byte(strconv.Itoa(len(who.User)) + ":" + who.User + session))
	key := sessionKey(sum[:16])
	h.mu.Lock()
	defer h.mu.Unlock()
	var place *hub.Client
	old := h.sessions[key]
	if old != nil {
		place = old.client
	}
	if c.client, err = h.config.Hub.TakeOver(place, c.x, who, (*outlet)(c)); err != nil {
		return err
	}
	c.session, h.sessions[key] = key, c
	if old != nil {
		asgi.LoopOf(old.x).Post(old.replaced) // once for each connection
	}
	return nil
}

// forget frees the session of a connection, unless another has it.
func (h *Handler) forget(c *conn) {
	if c.session == (sessionKey{}) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[c.session] == c {
		delete(h.sessions, c.session)
	}
}

var errReplaced = &hub.Error{Code: hub.Replaced, Text: "a newer connection has the place of this one"}
