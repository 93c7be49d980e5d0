package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/gale-server/gale/executor"
)

// add enters a new job of a client. A WebSocket without a name brings its own
// group.
func (s *Service) add(client string, own *group) (*job, *problem) {
	j := &job{id: rand.Text()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		p, _ := problemOf(executor.ErrClosed)
		return nil, p
	}
	if len(s.jobs) >= s.config.MaxJobs {
		first := s.ended.Front()
		if first == nil {
			return nil, tooMany
		}
		s.remove(first.Value.(*job))
	}
	s.number++
	j.number = s.number
	if j.group = own; own == nil {
		j.group = s.groupOf(client)
	}
	j.group.jobs[j] = struct{}{}
	s.jobs[j.id] = j
	s.setState(j, queued)
	return j, nil
}

var tooMany = newProblem(http.StatusServiceUnavailable, "too many jobs are known", time.Second)

// groupOf returns the group of a client; each job without one has its own.
func (s *Service) groupOf(client string) *group {
	if client == "" {
		return newGroup("")
	}
	g := s.groups[client]
	if g == nil {
		g = newGroup(client)
		g.named = true
		s.groups[client] = g
	}
	return g
}

func newGroup(client string) *group { return &group{client: client, jobs: make(map[*job]struct{})} }

// release forgets a group nobody needs.
func (s *Service) release(g *group) {
	if g.named && len(g.jobs) == 0 && len(g.topic.followers) == 0 {
		delete(s.groups, g.client)
		g.named = false
	}
}

// remove forgets a job. The caller holds the lock.
func (s *Service) remove(j *job) {
	if j.gone {
		return
	}
	if j.gone = true; j.state == queued {
		s.waiting--
	}
	delete(s.jobs, j.id)
	delete(j.group.jobs, j)
	s.release(j.group)
	s.dropResult(j)
	if j.inEnded != nil {
		s.ended.Remove(j.inEnded)
		j.inEnded = nil
	}
}

// forget removes a job whose client does not know it, and lets the class do so.
func (s *Service) forget(j *job) {
	s.mu.Lock()
	s.remove(j)
	future := j.future
	j.future = nil
	s.mu.Unlock()
	if future != nil {
		future.Cancel()
	}
}

// find returns a job that clients may know. The caller holds the lock.
func (s *Service) find(id string) *job {
	if j := s.jobs[id]; j != nil && j.public {
		return j
	}
	return nil
}

// publish makes a job known to its client, from which on it lives until it
// expires. The caller holds the lock, and tells the followers.
func (s *Service) publish(j *job) []*follower {
	j.public = true
	j.version = max(j.version, 1)
	if j.state.final() {
		s.keep(j)
	}
	s.follows(j)
	return s.changed(j)
}

// started notes that a worker has begun.
func (s *Service) started(j *job) {
	s.update(j, func() bool {
		if j.state != queued {
			return false
		}
		s.setState(j, running)
		return true
	})
}

// progressed notes what a job reports.
func (s *Service) progressed(j *job, p executor.Progress) {
	s.update(j, func() bool {
		percent := min(p.Percent, 100)
		if j.state.final() || j.state == running && percent <= j.percent {
			return false
		}
		s.setState(j, running)
		j.percent = max(j.percent, percent)
		return true
	})
}

// update changes a job and tells those who follow it, if change says so.
func (s *Service) update(j *job, change func() bool) {
	var told []*follower
	s.mu.Lock()
	if !j.gone && change() {
		told = s.changed(j)
	}
	s.mu.Unlock()
	tell(told)
}

// setState changes the state of a job that is in the table. The caller holds the
// lock.
func (s *Service) setState(j *job, to state) {
	if j.state == queued {
		s.waiting--
	}
	if j.state = to; to == queued {
		s.waiting++
	}
}

// finished notes a job's end, on whatever goroutine that came to pass.
func (s *Service) finished(j *job, value any, err error) {
	var p *problem
	secret := false
	if err == nil {
		var result Result
		if result, err = resultOf(value); err == nil { // made already, unless somebody else's job has the key
			p, err = s.succeed(j, result)
		}
	}
	if err != nil {
		p, secret = problemOf(err)
		end := failed
		if errors.Is(err, context.Canceled) {
			end = cancelled
		}
		s.update(j, func() bool { return s.end(j, end, p) })
	}
	if secret {
		s.logFailure(err)
	}
}

func (s *Service) logFailure(err error) {
	var panicked *executor.PanicError
	if errors.As(err, &panicked) {
		s.config.Logger.Error("job panicked", "panic", panicked.Value, "stack", string(panicked.Stack))
		return
	}
	s.config.Logger.Error("job failed", "error", err)
}

var (
	errResultTooLarge = errors.New("jobs: the result is larger than Config.MaxResultBytes")
	errNoRoom         = &Error{
		Status:     http.StatusServiceUnavailable,
		Reason:     "there is no room for the result",
		RetryAfter: time.Second,
	}
)

// succeed ends a job with its result, for which older ones may have to go.
func (s *Service) succeed(j *job, result Result) (*problem, error) {
	size := int64(len(result.Body))
	if size > s.config.MaxResultBytes {
		return nil, errResultTooLarge
	}
	var told []*follower
	defer func() { tell(told) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.gone || j.state.final() {
		return nil, nil
	}
	old, enough := s.oldest(s.bytes + size - s.config.MaxResultBytes)
	if !enough {
		return nil, errNoRoom
	}
	for _, each := range old {
		s.dropResult(each)
		told = append(told, s.changed(each)...)
	}
	s.bytes += size
	j.result = &blob{contentType: contentType(result.ContentType), body: result.Body, refs: 1}
	j.percent = 100
	s.end(j, done, nil)
	told = append(told, s.changed(j)...)
	return nil, nil
}

// oldest returns the jobs whose results have to go to free so many bytes, and
// whether there are enough: dropping one that is being sent frees none. The caller
// holds the lock.
func (s *Service) oldest(bytes int64) (old []*job, enough bool) {
	for e := s.kept.Front(); e != nil && bytes > 0; e = e.Next() {
		if j := e.Value.(*job); j.result.refs == 1 {
			bytes -= int64(len(j.result.body))
			old = append(old, j)
		}
	}
	return old, bytes <= 0
}

// end gives a job its final state, and reports false if it has one. The caller
// holds the lock.
func (s *Service) end(j *job, as state, failure *problem) bool {
	if j.gone || j.state.final() {
		return false
	}
	s.setState(j, as)
	j.failure = failure
	j.ended = time.Now()
	j.future, j.socket = nil, nil
	if j.public {
		s.keep(j)
	}
	return true
}

// keep has an ended job expire, and its result be dropped when room is needed.
func (s *Service) keep(j *job) {
	j.inEnded = s.ended.PushBack(j)
	if j.result != nil {
		j.inKept = s.kept.PushBack(j)
	}
	if s.ended.Len() == 1 && !s.closed {
		s.expireIn(s.config.KeepResults)
	}
}

func (s *Service) expireIn(d time.Duration) {
	if s.expiry == nil {
		s.expiry = time.AfterFunc(d, s.expire)
		return
	}
	s.expiry.Reset(d)
}

// expire forgets the jobs whose time is over.
func (s *Service) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for first := s.ended.Front(); first != nil && !s.closed; first = s.ended.Front() {
		j := first.Value.(*job)
		if left := j.ended.Add(s.config.KeepResults).Sub(now); left > 0 {
			s.expireIn(left)
			return
		}
		s.remove(j)
	}
}

// dropResult gives back the table's reference of a result. The caller holds the
// lock.
func (s *Service) dropResult(j *job) {
	if j.inKept != nil {
		s.kept.Remove(j.inKept)
		j.inKept = nil
	}
	if j.result != nil {
		s.unref(j.result)
		j.result = nil
	}
}

func (s *Service) unref(b *blob) {
	if b.refs--; b.refs == 0 {
		s.bytes -= int64(len(b.body))
	}
}

// cancel ends a job, or drops the result of one that has ended. It reports false
// if there is no such job, or it is not of the group that may be given.
func (s *Service) cancel(id string, of *group) bool {
	s.mu.Lock()
	j := s.find(id)
	if j == nil || of != nil && j.group != of {
		s.mu.Unlock()
		return false
	}
	future := j.future
	var told []*follower
	if s.end(j, cancelled, cancelledProblem) || j.result != nil {
		s.dropResult(j)
		told = s.changed(j)
	}
	s.mu.Unlock()
	if future != nil {
		future.Cancel() // no result comes any more
	}
	tell(told)
	return true
}

// abandon cancels the jobs of a WebSocket that have not ended. Where nobody else
// can know them they are forgotten.
func (s *Service) abandon(k *socket, g *group) {
	var futures []*executor.Future
	var told []*follower
	s.mu.Lock()
	for j := range g.jobs {
		if j.socket != k {
			continue
		}
		if j.future != nil {
			futures = append(futures, j.future)
		}
		s.end(j, cancelled, cancelledProblem)
		told = append(told, s.changed(j)...)
		if !g.named {
			s.remove(j)
		}
	}
	s.mu.Unlock()
	for _, f := range futures {
		f.Cancel()
	}
	tell(told)
}

var cancelledProblem = newProblem(http.StatusGone, "the job was cancelled", 0)

// Close cancels every job and drops every result; new ones are refused from then
// on. Who follows a job is told. It does not wait: the executor's Shutdown does.
func (s *Service) Close() {
	var told []*follower
	var futures []*executor.Future
	s.mu.Lock()
	s.closed = true
	for _, j := range s.jobs {
		if j.future != nil {
			futures = append(futures, j.future)
		}
		p, _ := problemOf(executor.ErrClosed)
		if s.end(j, cancelled, p) || j.result != nil {
			s.dropResult(j)
			told = append(told, s.changed(j)...)
		}
	}
	if s.expiry != nil {
		s.expiry.Stop()
	}
	if s.inquiry != nil {
		s.inquiry.Stop()
	}
	s.mu.Unlock()
	for _, f := range futures {
		f.Cancel()
	}
	tell(told)
}
