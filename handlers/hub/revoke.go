package hub

import (
	"container/list"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
)

// revocations remember whom the server has shut out, and when: a proof that was made
// before does not count any more, whoever still holds it.
//
// They are bounded in time, by the longest life of a proof, and in number. Beyond the
// number the oldest one makes room, and from then on stands for everybody: nobody gets
// in again because there were too many.
//
// Safe for concurrent use.
type revocations struct {
	age  time.Duration
	most int

	some atomic.Bool // there is something to be asked: without the lock
	mu   sync.Mutex
	// users has an element of queue for each user and channel. The channel "" stands
	// for all that a user may do.
	users  map[string]map[string]*list.Element
	queue  list.List // of revocation, the oldest first
	floor  time.Time // who has proven to be somebody before it must do so again
	warned time.Time // when it was last said that there are too many
}

// revocation is what a user, or a user in a channel or a pattern, lost at a time.
type revocation struct {
	user, channel string
	at            time.Time
}

// warnEvery is how often it is said that there are too many.
const warnEvery = time.Minute

// add remembers a revocation, and reports whether it is to be said that others had to
// make room.
func (r *revocations) add(user, channel string, now time.Time) (warn bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	if e := r.users[user][channel]; e != nil {
		known := e.Value.(*revocation)
		known.at = later(known.at, now)
		r.queue.MoveToBack(e)
		return false
	}
	if r.queue.Len() >= r.most {
		r.floor = later(r.floor, r.drop(r.queue.Front()).at)
		if warn = now.Sub(r.warned) >= warnEvery; warn {
			r.warned = now
		}
	}
	if r.users == nil {
		r.users = make(map[string]map[string]*list.Element)
	}
	user, channel = strings.Clone(user), strings.Clone(channel) // parts of a request, that is not to be kept
	if r.users[user] == nil {
		r.users[user] = make(map[string]*list.Element, 1)
	}
	r.users[user][channel] = r.queue.PushBack(&revocation{user, channel, now})
	r.some.Store(true)
	return warn
}

// later is the later of two times: who adds has read the clock before it has the lock,
// and another may be faster.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// expire forgets what no proof is old enough for. The caller holds the lock.
func (r *revocations) expire(now time.Time) {
	for e := r.queue.Front(); e != nil && now.Sub(e.Value.(*revocation).at) > r.age; e = r.queue.Front() {
		r.drop(e)
	}
	if now.Sub(r.floor) > r.age {
		r.floor = time.Time{}
	}
	r.some.Store(r.queue.Len() > 0 || !r.floor.IsZero())
}

func (r *revocations) drop(e *list.Element) *revocation {
	gone := r.queue.Remove(e).(*revocation)
	of := r.users[gone.user]
	if delete(of, gone.channel); len(of) == 0 {
		delete(r.users, gone.user)
	}
	return gone
}

// of reports whether a proof of a user, made at a time, counts no more: for anything,
// or, with a channel, for getting its messages. Who proves it in the moment of the
// revocation may have done so before. The zero time is now.
func (r *revocations) of(user, channel string, proven, now time.Time) bool {
	if user == "" || proven.IsZero() || !r.some.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	if !r.floor.IsZero() && !proven.After(r.floor) {
		return true
	}
	for revoked, e := range r.users[user] {
		if (revoked == "" || channel != "" && overlap(revoked, channel)) && !proven.After(e.Value.(*revocation).at) {
			return true
		}
	}
	return false
}

// overlap reports whether there may be a channel that both stand for: channels, or
// patterns.
func overlap(a, b string) bool {
	prefixA, wideA := prefixOf(a)
	prefixB, wideB := prefixOf(b)
	return a == b || wideA && strings.HasPrefix(prefixB, prefixA) || wideB && strings.HasPrefix(prefixA, prefixB)
}

var (
	errExpired = &Error{Code: TokenExpired, Text: "the token has expired"}
	// A page that can get a new token does so, and is let in with it: in a second, for
	// that is how exact the times of tokens are.
	errProof = &Error{Code: TokenExpired, Text: "you were shut out after this token was issued: a newer one is needed", RetryAfter: time.Second}
)

// revoked reports whether an identity was proven before its user was disconnected.
func (h *Hub) revoked(who *Identity) bool {
	return h.revocations.of(who.User, "", who.Proven, h.config.Now())
}

// Admit asks who a client is, and refuses whose identity has expired, or was proven
// before the user was disconnected. What the hook leaves out of the identity it puts
// in. It is how transports call an Authenticate.
func (h *Hub) Admit(authenticate Authenticate, scope *asgi.Scope, token string) (Identity, error) {
	asked := h.config.Now()
	who, err := authenticate(scope, token)
	if err != nil {
		return who, err
	}
	if who.Proven.IsZero() {
		who.Proven = asked
	}
	if who.Address == "" {
		who.Address = handlers.NetworkOf(scope)
	}
	who.User = strings.Clone(who.User) // of a field, perhaps, that would stay as long as the client
	return who, h.Good(&who)
}

// Good returns why an identity that was proven does not count any more: it has
// expired, or its user was disconnected since. The error is an *Error with the code
// TokenExpired.
func (h *Hub) Good(who *Identity) error {
	switch {
	case !who.Expires.IsZero() && !h.config.Now().Before(who.Expires):
		return errExpired
	case h.revoked(who):
		return errProof
	}
	return nil
}

// Allow returns why somebody may not do something in a channel, or nil: what
// Config.Allow says, unless the user was shut out of the channel since the identity
// was proven.
func (h *Hub) Allow(who *Identity, what Action, channel string) error {
	if what != Publish && h.revocations.of(who.User, channel, who.Proven, h.config.Now()) {
		return errRevoked
	}
	if err := h.config.Allow(who, what, channel); err != nil {
		return refusal(err)
	}
	return nil
}
