package jobs

import (
	"net/http"
	"strconv"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/sse"
)

// stream is an event stream about one job, or about all of a client's.
//
// Loop-owned: call only from its event loop.
type stream struct {
	s      *Service
	events *sse.Stream
	root   string
	follow follower
}

var nobody = newProblem(http.StatusNotFound, "the request names no client", 0)

func (s *Service) openEvents(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	t := &stream{s: s, root: root(scope)}
	t.follow.x, t.follow.run = x, t.look
	id, part := split(handlers.Path(scope))
	if part == "" {
		client, p := s.client(scope)
		if p == nil && client == "" {
			p = nobody
		}
		if p == nil {
			p = s.followGroup(&t.follow, client)
		}
		return t.begin(scope, x, p)
	}
	version, p := s.followJob(&t.follow, id)
	if p == nil && sse.LastEventID(scope) == strconv.FormatUint(version, 10) {
		// It has seen the end, and would come back for ever but for a 204
		// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
		s.unfollow(&t.follow)
		_ = handlers.Respond(x, http.StatusNoContent, nil, noStore)
		return nil
	}
	return t.begin(scope, x, p)
}

// followGroup follows a client's jobs.
func (s *Service) followGroup(f *follower, client string) *problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.follow(f, nil, s.groupOf(client)) {
		return tooManyFollow
	}
	return nil
}

// followJob follows one job. It returns the version of one that has ended, and 0
// of any other.
func (s *Service) followJob(f *follower, id string) (ended uint64, p *problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.find(id)
	if j == nil {
		return 0, unknown
	}
	if !s.follow(f, j, j.group) {
		return 0, tooManyFollow
	}
	if j.state.final() {
		ended = j.version
	}
	return ended, nil
}

func (t *stream) begin(scope *asgi.Scope, x asgi.Exchange, p *problem) asgi.Receiver {
	if p != nil {
		p.fail(x)
		return nil
	}
	events, ok := sse.Open(scope, x, &t.s.streams, t)
	if !ok {
		t.s.unfollow(&t.follow)
		return nil
	}
	t.events = events
	t.flush()
	return events
}

func (t *stream) look() {
	if t.s.look(&t.follow) {
		t.flush()
	}
}

// flush sends what is new, until the connection is congested.
func (t *stream) flush() {
	for !t.events.Congested() {
		st, fresh := t.s.next(&t.follow, t.root)
		if !fresh {
			return
		}
		e := &sse.Event{Type: string(st.State), Data: encode(st)}
		if t.follow.job != nil { // that of one job is no position among several
			e.ID = strconv.FormatUint(st.Version, 10)
		}
		if t.follow.job != nil && st.State.final() {
			t.s.unfollow(&t.follow)
			_ = t.events.End(e) // which is one of ours, and whole
			return
		}
		if t.events.Send(e) != nil {
			return // the peer is gone: the disconnect is on its way
		}
	}
}

// StreamWritable implements [sse.Source].
func (t *stream) StreamWritable() { t.flush() }

// StreamEnded implements [sse.Source].
func (t *stream) StreamEnded(error) { t.s.unfollow(&t.follow) }
