package longpoll

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/rate"
)

// session is a client that has given itself a name: one of a user's, so that
// nobody takes the place of another's.
type session struct{ user, sid string }

// sessions are the polls of those that have a name.
//
// Safe for concurrent use.
type sessions struct {
	mu    sync.Mutex
	polls map[session]*poll
}

// enter makes a client of p, in the place of the older poll of its session, which is
// answered. If that cannot be, the older one stays.
func (s *sessions) enter(p *poll, who hub.Identity) (err error) {
	h := p.h.config.Hub
	if p.named == nil {
		p.client, err = h.Connect(p.x, who, p)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var place *hub.Client
	older := s.polls[*p.named]
	if older != nil {
		place = older.client
	}
	if p.client, err = h.TakeOver(place, p.x, who, p); err != nil {
		return err
	}
	if s.polls == nil {
		s.polls = make(map[session]*poll)
	}
	s.polls[*p.named] = p
	if older != nil {
		p.relieves = true
		// If its loop has stopped, it is gone.
		asgi.LoopOf(older.x).Post(older.supersede)
	}
	return nil
}

// leave ends the part of p, unless a newer poll has its place.
func (s *sessions) leave(p *poll) {
	if p.named == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.polls[*p.named] == p {
		delete(s.polls, *p.named)
	}
}

// pace is how often a session polls.
//
// Safe for concurrent use.
type pace struct {
	limit rate.Limit // the zero one: there is no bound
	table *rate.Table[session]
}

func newPace(perSecond float64, burst, most int) pace {
	if perSecond < 0 {
		return pace{}
	}
	return pace{rate.PerSecond(perSecond, burst), rate.NewTable[session](most)}
}

// take takes a token, or says how long to wait for one: a little longer by chance,
// so that the tabs of one user do not come back together.
func (p *pace) take(key session, now time.Time) (wait time.Duration) {
	if p.table == nil || key == (session{}) {
		return 0
	}
	wait, ok := p.table.Take(key, now, p.limit)
	if ok {
		return 0
	}
	return wait + rand.N(p.limit.Interval)
}
