package jobs

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/internal/prefer"
)

// submit makes a job of a request and hands it to the class. own and socket are
// of the WebSocket it came by, if it did.
func (s *Service) submit(r *Request, client string, own *group, socket *socket) (*job, *problem) {
	spec, err := s.config.Accept(r)
	if err != nil {
		return nil, s.refusal(err)
	}
	if spec.Client == "" {
		spec.Client = client
	}
	if spec.Cost == 0 {
		spec.Cost = int64(len(r.Body))
	}
	if spec.Deadline.IsZero() && s.config.JobTimeout > 0 {
		spec.Deadline = time.Now().Add(s.config.JobTimeout)
	}
	if spec.MaxQueueTime == 0 {
		spec.MaxQueueTime = -1 // until its deadline
	}
	j, p := s.add(client, own)
	if p != nil {
		return nil, p
	}
	if spec.Run != nil {
		spec.Run = s.run(j, spec.Run)
	}
	future, err := s.config.Class.Submit(context.Background(), spec)
	if err != nil {
		s.forget(j)
		return nil, s.refusal(err)
	}
	s.mu.Lock()
	late := j.state.final() // by Close
	if !late {
		j.future, j.socket = future, socket
	}
	s.mu.Unlock()
	if late {
		future.Cancel()
		return j, nil
	}
	future.Notify(direct{},
		func(value any, err error) { s.finished(j, value, err) },
		func(p executor.Progress) { s.progressed(j, p) })
	return j, nil
}

// upload receives the body of a POST.
//
// Loop-owned: call only from its event loop.
type upload struct {
	s      *Service
	scope  *asgi.Scope
	x      asgi.Exchange
	client string
	body   []byte
	length int64 // as announced, or 0
	over   bool

	then asgi.Receiver // once the body is there
}

func (s *Service) openUpload(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	client, p := s.client(scope)
	if p == nil {
		p = s.room()
	}
	if p != nil {
		p.fail(x)
		return nil
	}
	u := &upload{s: s, scope: scope, x: x, client: client}
	if value, ok := scope.Header("content-length"); ok {
		u.length, _ = strconv.ParseInt(value, 10, 64) // the server has checked it
	}
	if u.length > s.config.MaxBodyBytes {
		tooLarge.fail(x)
		return nil
	}
	return u
}

var (
	tooLarge    = newProblem(http.StatusRequestEntityTooLarge, "the body is too large", 0)
	tooManyOpen = newProblem(http.StatusServiceUnavailable, "too many requests are being received", time.Second)
)

// room reports early, before a body is sent in vain, that no job can be added.
func (s *Service) room() *problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		p, _ := problemOf(executor.ErrClosed)
		return p
	case len(s.jobs) >= s.config.MaxJobs && s.ended.Len() == 0:
		return tooMany
	}
	return nil
}

// Receive takes a piece of the body.
func (u *upload) Receive(ev asgi.ReceiveEvent) {
	if u.then != nil {
		u.then.Receive(ev)
		return
	}
	switch ev := ev.(type) {
	case *asgi.HTTPRequest:
		if u.over {
			return
		}
		if p := u.add(ev.Body); p != nil {
			u.drop()
			p.fail(u.x)
			return
		}
		if !ev.MoreBody {
			u.done()
		}
	case *asgi.HTTPDisconnect:
		u.drop()
	}
}

// add appends a piece, in memory that is counted.
func (u *upload) add(piece []byte) *problem {
	size := int64(len(u.body) + len(piece))
	if size > u.s.config.MaxBodyBytes {
		return tooLarge
	}
	if held := int64(cap(u.body)); size > held {
		// Twice as much as there is, so that the copying stays in proportion, but
		// no more than is announced: the announcement alone gets no memory.
		room := max(size, min(2*held, u.s.config.MaxBodyBytes))
		if u.length >= size {
			room = min(room, u.length)
		}
		if u.s.uploads.Add(room-held) > u.s.config.MaxUploadBytes {
			u.s.uploads.Add(held - room)
			return tooManyOpen
		}
		grown := make([]byte, len(u.body), room)
		copy(grown, u.body)
		u.body = grown
	}
	u.body = append(u.body, piece...)
	return nil
}

// drop gives the body's memory back.
func (u *upload) drop() {
	u.over = true
	u.s.uploads.Add(-int64(cap(u.body)))
	u.body = nil
}

// done makes a job of the whole body. From then on its memory is what the class
// bounds, as the job's cost.
func (u *upload) done() {
	r := &Request{Scope: u.scope, Body: u.body}
	u.drop()
	j, p := u.s.submit(r, u.client, nil, nil)
	if p != nil {
		p.fail(u.x)
		return
	}
	w := &waiter{s: u.s, x: u.x, job: j, root: root(u.scope), prefs: prefer.Of(u.scope)}
	u.then, u.scope = w, nil
	w.begin()
}

// waiter answers a POST, once its job has ended or has taken too long for that.
//
// Loop-owned: call only from its event loop.
type waiter struct {
	s        *Service
	x        asgi.Exchange
	job      *job
	root     string
	prefs    prefer.Preferences
	wait     time.Duration
	timer    asgi.Timer
	draining bool
	over     bool // it is answered
	follow   follower

	sending *download
}

func (w *waiter) begin() {
	w.wait = min(w.prefs.Wait, w.s.config.MaxWait)
	w.s.mu.Lock()
	ended := w.job.state.final()
	if !ended && w.wait > 0 {
		w.follow.x, w.follow.run = w.x, w.look
		w.s.follow(&w.follow, w.job, w.job.group) // it is the first: there is room
	}
	w.s.mu.Unlock()
	switch {
	case ended && w.prefs.HasWait && w.wait > 0:
		w.answer()
	case w.wait > 0 && !ended:
		w.timer = w.x.AfterFunc(w.wait, w.timeout)
	default:
		w.accepted()
	}
}

// Receive handles what comes while the job is waited for.
func (w *waiter) Receive(ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.HTTPDisconnect:
		if !w.over {
			w.end()
			w.s.forget(w.job)
		}
	case *asgi.Drain:
		// The job's result would be lost with the process, so there is no use in a
		// 202: it has half of the time that is left.
		w.draining = true
		if !w.over && !ev.Deadline.IsZero() {
			w.x.AfterFunc(time.Until(ev.Deadline)/2, w.timeout)
		}
	}
	if w.sending != nil {
		w.sending.Receive(ev)
	}
}

// end ends the wait.
func (w *waiter) end() {
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.s.unfollow(&w.follow)
}

// look is called when something has changed.
func (w *waiter) look() {
	if !w.s.look(&w.follow) || w.over {
		return
	}
	w.s.mu.Lock()
	ended := w.job.state.final()
	w.s.mu.Unlock()
	if ended {
		w.end()
		w.answer()
	}
}

func (w *waiter) timeout() {
	if w.over {
		return
	}
	w.end()
	if w.draining {
		w.s.forget(w.job)
		p, _ := problemOf(executor.ErrClosed)
		p.fail(w.x, w.prefs.Applied(w.wait)...)
		return
	}
	w.accepted()
}

// answer answers with the result, after which nobody will ask for the job.
func (w *waiter) answer() {
	w.over = true
	w.s.mu.Lock()
	failure, result := w.job.failure, w.job.result
	if result != nil {
		result.refs++
	}
	w.s.remove(w.job)
	w.s.mu.Unlock()
	if result == nil && failure == nil {
		failure = goneProblem // by Close
	}
	if failure != nil {
		failure.fail(w.x, w.prefs.Applied(w.wait)...)
		return
	}
	w.sending = w.s.send(w.x, result, w.prefs.Applied(w.wait)...)
}

// accepted answers with 202: the job lives on without the connection.
func (w *waiter) accepted() {
	w.over = true
	w.s.locate(w.job)
	w.s.mu.Lock()
	told := w.s.publish(w.job)
	st := w.job.status(w.root, w.s.config.KeepResults)
	tag := etag(w.job)
	w.s.mu.Unlock()
	err := respondJSON(w.x, http.StatusAccepted, st, "application/json",
		append(w.prefs.Applied(w.wait),
			asgi.Header{Name: "location", Value: st.Location},
			asgi.Header{Name: "retry-after", Value: "1"},
			tag)...)
	if err != nil {
		w.s.cancel(w.job.id, nil) // the client does not know it
	}
	tell(told)
}

// etag is the version of a job's state.
func etag(j *job) asgi.Header {
	return asgi.Header{Name: "etag", Value: versionTag(j.version)}
}

func versionTag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }
