package jobs

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
)

// stream is an event stream about one job, or about all of a client's.
//
// Loop-owned: call only from its event loop.
type stream struct {
	s      *Service
	x      asgi.Exchange
	root   string
	follow follower
	spoke  bool // since the last heartbeat
	over   bool
}

var eventStream = asgi.HTTPResponseStart{
	Status: http.StatusOK,
	Headers: []asgi.Header{
		{Name: "content-type", Value: "text/event-stream"},
		noStore,
		{Name: "x-accel-buffering", Value: "no"}, // nginx would hold events back
	},
}

var nobody = newProblem(http.StatusNotFound, "the request names no client", 0)

func (s *Service) openEvents(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	t := &stream{s: s, x: x, root: root(scope)}
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
		return t.begin(p)
	}
	version, p := s.followJob(&t.follow, id)
	if p == nil && lastEventID(scope) == strconv.FormatUint(version, 10) {
		// It has seen the end, and would come back for ever but for a 204
		// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
		s.unfollow(&t.follow)
		_ = handlers.Respond(x, http.StatusNoContent, nil, noStore)
		return nil
	}
	return t.begin(p)
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

// lastEventID returns what a client that comes back has seen. A first connect
// cannot send the field, so there is a parameter, too; the field wins.
func lastEventID(scope *asgi.Scope) string {
	if id, ok := scope.Header("last-event-id"); ok {
		return id
	}
	query, _ := url.ParseQuery(scope.QueryString)
	return query.Get("last_event_id")
}

func (t *stream) begin(p *problem) asgi.Receiver {
	if p != nil {
		p.fail(t.x)
		return nil
	}
	if t.x.Send(&eventStream) != nil {
		t.end()
		return nil
	}
	t.send(retry(2*time.Second, 5*time.Second))
	t.flush()
	if t.over {
		return nil
	}
	t.x.AfterFunc(t.s.config.Heartbeat, t.beat)
	if age := t.s.config.MaxStreamAge; age > 0 {
		t.x.AfterFunc(age-rand.N(age/5+1), func() { t.finish(nil) })
	}
	return t
}

// retry is the field that says when to come back, between two durations so that
// not all do at once.
func retry(least, most time.Duration) []byte {
	ms := (least + rand.N(most-least)).Milliseconds()
	return []byte("retry: " + strconv.FormatInt(ms, 10) + "\n\n")
}

// Receive handles what comes while the stream lasts.
func (t *stream) Receive(ev asgi.ReceiveEvent) {
	switch ev.(type) {
	case *asgi.Writable:
		t.flush()
	case *asgi.Drain:
		t.finish(retry(5*time.Second, 10*time.Second))
	case *asgi.HTTPDisconnect:
		t.end()
	}
}

func (t *stream) look() {
	if t.s.look(&t.follow) {
		t.flush()
	}
}

// flush sends what is new, until the connection is congested.
func (t *stream) flush() {
	for !t.over && !t.x.Congested() {
		st, fresh := t.s.next(&t.follow, t.root)
		if !fresh {
			return
		}
		var b strings.Builder
		if t.follow.job != nil { // that of one job is no position among several
			b.WriteString("id: " + strconv.FormatUint(st.Version, 10) + "\n")
		}
		b.WriteString("event: " + string(st.State) + "\ndata: ")
		b.Write(encode(st))
		b.WriteString("\n\n")
		if t.follow.job != nil && st.State.final() {
			t.finish([]byte(b.String()))
			return
		}
		t.send([]byte(b.String()))
	}
}

func (t *stream) send(p []byte) {
	t.spoke = true
	if t.x.Send(&asgi.HTTPResponseBody{Body: p, MoreBody: true}) != nil {
		t.end() // the peer is gone: the disconnect is on its way
	}
}

// beat keeps proxies from dropping a silent connection.
func (t *stream) beat() {
	if t.over {
		return
	}
	if !t.spoke && !t.x.Congested() {
		t.send([]byte(":\n\n"))
	}
	t.spoke = false
	t.x.AfterFunc(t.s.config.Heartbeat, t.beat)
}

// finish ends the stream in good order.
func (t *stream) finish(last []byte) {
	if t.over {
		return
	}
	t.end()
	_ = t.x.Send(&asgi.HTTPResponseBody{Body: last})
}

func (t *stream) end() {
	t.over = true
	t.s.unfollow(&t.follow)
}
