package longpoll

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gale-server/gale/asgi"
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

// pace is a bucket of tokens for each session: full at first, and full again
// when nothing is known of it.
//
// Safe for concurrent use.
type pace struct {
	every time.Duration // a token is there again; 0: there is no bound
	ahead time.Duration // what a full bucket is worth, but for one token

	mu     sync.Mutex
	turned time.Time
	full   [2]map[session]time.Time // when the bucket is full again; of now, and of before
}

func newPace(rate float64, burst int) pace {
	if rate < 0 {
		return pace{}
	}
	every := max(time.Duration(float64(time.Second)/rate), 1)
	return pace{every: every, ahead: time.Duration(burst-1) * every}
}

// take takes a token, or says how long to wait for one: a little longer by chance,
// so that the tabs of one user do not come back together.
func (p *pace) take(key session, now time.Time) (wait time.Duration) {
	if p.every == 0 || key == (session{}) {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.turned) > p.ahead+p.every { // whatever is known from before the turn is full
		p.full = [2]map[session]time.Time{make(map[session]time.Time), p.full[0]}
		p.turned = now
	}
	full, known := p.full[0][key]
	if !known {
		full = p.full[1][key]
	}
	if full.Before(now) {
		full = now
	}
	if wait = full.Sub(now) - p.ahead; wait > 0 {
		return wait + rand.N(p.every)
	}
	p.full[0][key] = full.Add(p.every)
	return 0
}
