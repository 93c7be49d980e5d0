package chat

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gale-server/gale/asgi"
)

// Chat is the Handler: all rooms and everybody in them.
//
// Safe for concurrent use.
type Chat struct {
	config Config
	drain  []byte // the event "drain", encoded

	mu      sync.Mutex         // taken before the lock of a room, never after it
	rooms   map[string]*room   // by name
	members map[string]*member // by id
	names   map[string]*member // by folded name
}

var _ asgi.Handler = (*Chat)(nil)

// New returns a chat, or an error when the config makes no sense.
func New(config Config) (*Chat, error) {
	c := &Chat{
		config:  config.withDefaults(),
		drain:   encode(presence{Type: "drain"}),
		rooms:   make(map[string]*room),
		members: make(map[string]*member),
		names:   make(map[string]*member),
	}
	config = c.config
	for _, limit := range []float64{
		float64(config.MaxRooms), float64(config.MaxRoomsPerMember), float64(config.MaxMembersPerRoom),
		float64(config.MaxNameRunes), float64(config.MaxTextRunes), float64(config.MaxMessageBytes),
		config.MessageRate, float64(config.MessageBurst), float64(config.MaxFaults),
		float64(config.FaultPeriod), float64(config.HelloTimeout), float64(config.MaxPendingBytes),
	} {
		if limit < 0 {
			return nil, fmt.Errorf("chat: a limit is negative: %v", limit)
		}
	}
	for _, name := range config.Rooms {
		if !validRoom(name) {
			return nil, fmt.Errorf("chat: no name of a room: %q", name)
		}
		c.rooms[name] = newRoom(name, &c.config)
		c.rooms[name].permanent = true
	}
	if len(c.rooms) > config.MaxRooms {
		return nil, fmt.Errorf("chat: %d rooms, where %d may be", len(c.rooms), config.MaxRooms)
	}
	return c, nil
}

// Open lets a client in. It serves WebSockets only.
func (c *Chat) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type != asgi.ScopeWebSocket {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	m := &member{chat: c, x: x}
	flush := m.flush // one method value for all posts
	m.out.post = func() bool { return x.Post(flush) }
	return m
}

// enter makes m the member with this session and, if it is free, this name.
func (c *Chat) enter(m *member, session, name string) {
	sum := sha256.Sum256([]byte(session))
	c.mu.Lock()
	defer c.mu.Unlock()
	m.id = base64.RawURLEncoding.EncodeToString(sum[:12])
	if old := c.members[m.id]; old != nil {
		delete(c.names, fold(old.name))
		old.x.Post(old.replaced)
	}
	c.members[m.id] = m
	c.rename(m, name)
}

// setName gives m another name.
func (c *Chat) setName(m *member, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rename(m, name)
}

// rename gives m the name, or that with the first number that makes it unique.
// The caller holds the lock.
func (c *Chat) rename(m *member, name string) {
	if c.names[fold(m.name)] == m {
		delete(c.names, fold(m.name))
	}
	free := name
	for n := 2; c.names[fold(free)] != nil; n++ {
		if free = name + " " + strconv.Itoa(n); n == 100 {
			free = name + " " + m.id // so that a crowd of one name costs no more than this
			break
		}
	}
	m.name = free
	c.names[fold(free)] = m
}

func fold(name string) string { return strings.ToLower(name) }

// forget removes m, unless another has its place.
func (c *Chat) forget(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members[m.id] == m {
		delete(c.members, m.id)
	}
	if c.names[fold(m.name)] == m {
		delete(c.names, fold(m.name))
	}
}

// join seats m in a room, which is made if need be.
func (c *Chat) join(m *member, q *request) (*room, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[q.Room]
	if r == nil {
		if len(c.rooms) >= c.config.MaxRooms {
			return nil, refusal{TooMany, "there are as many rooms as there may be"}
		}
		r = newRoom(q.Room, &c.config)
		c.rooms[q.Room] = r
	}
	if err := r.join(m, q.Epoch, q.Seq); err != nil {
		return nil, err
	}
	return r, nil
}

// leave takes m out of a room, which ends if that was the last member.
func (c *Chat) leave(m *member, r *room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if empty := r.leave(m); empty && !r.permanent && c.rooms[r.name] == r {
		delete(c.rooms, r.name)
	}
}

// list returns the rooms: those that are always there in their order, then the
// others by name.
func (c *Chat) list() []roomInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	infos := make([]roomInfo, 0, len(c.rooms))
	for _, r := range c.rooms {
		infos = append(infos, roomInfo{Room: r.name, Members: r.size(), Permanent: r.permanent})
	}
	rank := func(info roomInfo) int {
		if at := slices.Index(c.config.Rooms, info.Room); at >= 0 {
			return at
		}
		return len(c.config.Rooms)
	}
	slices.SortFunc(infos, func(a, b roomInfo) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Room, b.Room))
	})
	return infos
}

// refusal is why a request was not carried out, as an error of the request.
type refusal struct {
	code ErrorCode
	text string
}

func (e refusal) Error() string { return e.text }

// newEpoch returns a name for the life of a room that no other life had.
func newEpoch() string { return rand.Text()[:12] }
