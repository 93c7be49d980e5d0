package longpoll

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gale-server/gale/asgi"
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

// enter makes p the poll of its session; the older one is answered.
func (s *sessions) enter(p *poll) {
	if p.named == nil {
		return
	}
	s.mu.Lock()
	if s.polls == nil {
		s.polls = make(map[session]*poll)
	}
	older := s.polls[*p.named]
	s.polls[*p.named] = p
	s.mu.Unlock()
	if older != nil {
		// If its loop has stopped, it is gone.
		asgi.LoopOf(older.x).Post(older.supersede)
	}
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
