package jobs

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

// direct runs what a future has to tell where it comes to pass, since a job has
// no loop: those who follow it are on loops of their own.
type direct struct{}

func (direct) Post(fn func()) bool {
	fn()
	return true
}

// topic is who is to be told of changes. The service's lock guards it.
type topic struct{ followers []*follower }

// follower is an exchange that wants to know of the changes of one job, or of a
// group's. It is told that there is something new, once until it looks, and then
// sees the state as it is by then: what changes faster than it looks is not
// queued.
//
// The service's lock guards the fields below x.
type follower struct {
	x   asgi.Exchange
	run func() // looks; on the loop

	topic  *topic // nil: it follows nothing any more
	place  int    // in topic.followers
	told   bool   // run is on its way
	job    *job   // that it follows; nil for a group
	seen   uint64 // the version of it that was looked at last
	group  *group
	news   []*job // of a group, in the order of change
	listed map[*job]struct{}
}

// follow has f told of changes of a job, or of a group if j is nil. The caller
// holds the lock. It reports false if there are too many who do.
func (s *Service) follow(f *follower, j *job, g *group) bool {
	f.job, f.group = j, g
	f.topic = &g.topic
	if j != nil {
		f.topic = &j.topic
	}
	if len(f.topic.followers) >= s.config.MaxFollowers {
		f.topic = nil
		return false
	}
	f.place = len(f.topic.followers)
	f.topic.followers = append(f.topic.followers, f)
	if j != nil {
		s.follows(j)
		return true
	}
	f.listed = make(map[*job]struct{})
	for j := range g.jobs {
		if j.public {
			s.follows(j)
			f.list(j)
		}
	}
	slices.SortFunc(f.news, func(a, b *job) int { return cmp.Compare(a.number, b.number) })
	return true
}

var tooManyFollow = newProblem(http.StatusServiceUnavailable, "too many wait for this already", 5*time.Second)

// unfollow ends it. Nothing is told from then on.
func (s *Service) unfollow(f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(f)
}

func (s *Service) leave(f *follower) {
	if f.topic == nil {
		return
	}
	all := f.topic.followers
	last := len(all) - 1
	all[f.place] = all[last]
	all[f.place].place = f.place
	all[last] = nil
	if f.topic.followers = all[:last]; last == 0 {
		f.topic.followers = nil
	}
	f.topic, f.news, f.listed = nil, nil, nil
	s.release(f.group)
}

// list notes that a job of the group has changed.
func (f *follower) list(j *job) {
	if _, ok := f.listed[j]; !ok {
		f.listed[j] = struct{}{}
		f.news = append(f.news, j)
	}
}

// changed counts a change of a job, and returns those who are to be told. The
// caller holds the lock.
func (s *Service) changed(j *job) (told []*follower) {
	j.version++
	told = heard(told, j, j.topic.followers)
	if j.public {
		told = heard(told, j, j.group.topic.followers)
	}
	return told
}

func heard(told []*follower, j *job, followers []*follower) []*follower {
	for _, f := range followers {
		if f.job == nil {
			f.list(j)
		}
		if !f.told {
			f.told = true
			told = append(told, f)
		}
	}
	return told
}

// tell has followers look, without the lock. One whose loop has stopped is gone
// with it.
func tell(told []*follower) {
	for _, f := range told {
		asgi.PostOwed(f.x, f.run) // one at a time, and nobody tells it again
	}
}

// look is the beginning of a follower's run: it reports whether it follows still.
func (s *Service) look(f *follower) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.told = false
	return f.topic != nil
}

// next returns the state of the job that is followed, or of the one of the group
// that changed first; false if it has not changed since it was returned.
func (s *Service) next(f *follower, root string) (status, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := f.job; j != nil {
		fresh := j.version != f.seen
		f.seen = j.version
		return j.status(root, s.config.KeepResults), fresh
	}
	for len(f.news) > 0 {
		j := f.news[0]
		f.news[0] = nil
		if f.news = f.news[1:]; len(f.news) == 0 {
			f.news = nil
		}
		delete(f.listed, j)
		if !j.gone {
			return j.status(root, s.config.KeepResults), true
		}
	}
	return status{}, false
}

// unlist takes back the news of a job that the follower is told of otherwise.
// The caller holds the lock.
func (f *follower) unlist(j *job) {
	if last := len(f.news) - 1; last >= 0 && f.news[last] == j {
		f.news = f.news[:last]
		delete(f.listed, j)
	}
}

// follows has the place in the queue of a job that waits be looked up from time
// to time. The caller holds the lock.
func (s *Service) follows(j *job) {
	if j.state != queued || j.asking || !j.followed() || s.closed {
		return
	}
	j.asking = true
	s.asking = append(s.asking, j)
	switch {
	case len(s.asking) > 1:
	case s.inquiry == nil:
		s.inquiry = time.AfterFunc(s.config.PositionInterval, s.inquire)
	default:
		s.inquiry.Reset(s.config.PositionInterval)
	}
}

func (j *job) followed() bool {
	return len(j.topic.followers) > 0 || j.public && len(j.group.topic.followers) > 0
}

// inquire looks up the places of the jobs whose turn it is.
func (s *Service) inquire() {
	var batch []*job
	for range positionBatch {
		s.mu.Lock()
		if len(s.asking) == 0 || !s.affordable() {
			s.mu.Unlock()
			break
		}
		j := s.asking[0]
		s.asking = slices.Delete(s.asking, 0, 1)
		s.mu.Unlock()
		s.locate(j)
		batch = append(batch, j)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range batch {
		j.asking = false
		if !j.gone {
			s.follows(j)
		}
	}
	if len(s.asking) > 0 && !s.closed {
		s.inquiry.Reset(s.config.PositionInterval)
	}
}

// A look-up takes the class as long as it takes to walk past the jobs that wait;
// so many of them are walked past in a second, which is less than a hundredth of
// a processor's time, and in a row.
const (
	stepsPerSecond = 100_000
	stepsInARow    = 100_000
)

// affordable reports whether a place may be looked up now. The caller holds the
// lock.
func (s *Service) affordable() bool {
	now := time.Now()
	s.steps = min(stepsInARow, s.steps+now.Sub(s.stepped).Seconds()*stepsPerSecond)
	s.stepped = now
	return s.steps >= float64(s.waiting)
}

// locate looks up the place of a job that waits, unless that was done just now
// or there are too many look-ups.
func (s *Service) locate(j *job) {
	var future *executor.Future
	s.mu.Lock()
	now := time.Now()
	if j.state == queued && now.Sub(j.asked) >= s.config.PositionInterval/2 && s.affordable() {
		s.steps -= float64(s.waiting)
		future, j.asked = j.future, now
	}
	s.mu.Unlock()
	if future == nil {
		return
	}
	position := future.Position()
	s.update(j, func() bool {
		switch {
		case j.state != queued:
			return false
		case position == 0: // also of a job that has joined one with its key
			s.setState(j, running) // or it has ended, which follows
			return true
		}
		changed := j.position != position
		j.position = position
		return changed
	})
}
