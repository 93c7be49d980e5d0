package longpoll_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/internal/longtest"
)

// waitLimit bounds the wait for something that should come at once.
const waitLimit = longtest.Patience

// place is a hub with polls.
type place struct {
	t     testing.TB
	hub   *hub.Hub
	polls *longpoll.Handler
	clock *clock
}

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// open makes a place in which everybody may do everything, unless the configs say
// otherwise.
func open(t testing.TB, hc hub.Config, pc longpoll.Config) *place {
	t.Helper()
	p := &place{t: t, clock: &clock{now: time.Unix(1_800_000_000, 0)}}
	hc.Now = p.clock.Now
	hc.Logger = slog.New(slog.DiscardHandler)
	var err error
	if p.hub, err = hub.New(hc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.hub.Close(); err != nil {
			t.Error(err)
		}
	})
	pc.Hub = p.hub
	if pc.Authenticate == nil {
		pc.Authenticate = hub.Anyone(hub.Everything)
	}
	if p.polls, err = longpoll.New(pc); err != nil {
		t.Fatal(err)
	}
	return p
}

// publish publishes texts in a channel.
func (p *place) publish(channel string, texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if _, err := p.hub.PublishOne(hub.Publication{Channel: channel, Data: []byte(text)}); err != nil {
			p.t.Fatal(err)
		}
	}
}

// request opens a poll. query is that of the target.
func (p *place) request(query string, headers ...asgi.Header) *asgitest.Exchange {
	p.t.Helper()
	x := asgitest.New(p.t, p.polls, asgitest.HTTPScope("GET", "/hub/poll?"+query, headers...))
	x.Deliver(&asgi.HTTPRequest{})
	return x
}

// poll makes a poll that is answered at once.
func (p *place) poll(query string, headers ...asgi.Header) answer {
	p.t.Helper()
	return p.answered(p.request(query, headers...))
}

// park makes a poll that is not.
func (p *place) park(query string, headers ...asgi.Header) *asgitest.Exchange {
	p.t.Helper()
	x := p.request(query, headers...)
	p.parked(x)
	return x
}

func (p *place) parked(x *asgitest.Exchange) {
	p.t.Helper()
	x.Run()
	if r := x.Response(); r.Status != 0 {
		p.t.Fatalf("answered with %d %s", r.Status, r.Body)
	}
}

// answered returns the answer that has come.
func (p *place) answered(x *asgitest.Exchange) answer {
	p.t.Helper()
	x.Run()
	r := x.Response()
	if !r.Complete {
		p.t.Fatal("it is not answered")
	}
	return parse(p.t, r.Status, r.Body, r)
}

// start is a first cursor of channels.
func (p *place) start(channels string) string {
	p.t.Helper()
	return p.poll("wait=0&ch=" + channels).Cursor
}

// answer is one to a poll.
type answer struct {
	status   int
	response *asgitest.Response

	Cursor     string
	Messages   []message
	Subscribed []struct {
		Channel       string
		Position, Top hub.Position
		Missing       int64
	}
	Gaps []struct {
		Channel  string
		From, To hub.Position
		Missing  int64
	}
	Gap     bool
	RetryMS int64 `json:"retry_ms"`
	Reason  string
	Channel string
	Code    hub.ErrorCode
	Text    string
}

type message struct {
	Channel string
	hub.Position
	Text string
	Data json.RawMessage
}

func parse(t testing.TB, status int, body []byte, r *asgitest.Response) answer {
	t.Helper()
	a := answer{status: status, response: r}
	if status == 304 || status == 204 {
		if len(body) > 0 {
			t.Errorf("%d with %q", status, body)
		}
		return a
	}
	if err := json.Unmarshal(body, &a); err != nil || !strings.HasSuffix(string(body), "}\n") {
		t.Fatalf("%d %q: %v", status, body, err)
	}
	return a
}

// got is an answer in short: its messages, gaps and reason.
func (a answer) got() string {
	var b strings.Builder
	for _, g := range a.Gaps {
		fmt.Fprintf(&b, "gap %s %d, ", g.Channel, g.Missing)
	}
	for _, m := range a.Messages {
		fmt.Fprintf(&b, "%s%s ", m.Text, m.Data)
	}
	switch {
	case a.status == 200:
		b.WriteString(a.Reason)
	case a.status == 304:
		b.WriteString("304")
	default:
		fmt.Fprint(&b, a.status, " ", a.Code)
	}
	if a.Gap != (len(a.Gaps) > 0) && a.status == 200 {
		b.WriteString(" and gap is wrong")
	}
	return b.String()
}

func (p *place) want(a answer, want string) {
	p.t.Helper()
	if got := a.got(); got != want {
		p.t.Errorf("got %q, want %q", got, want)
	}
}

// with is the query that goes on from a cursor.
func with(channels, cursor string) string {
	return "ch=" + url.QueryEscape(channels) + "&cursor=" + cursor
}

func header(name, value string) asgi.Header { return asgi.Header{Name: name, Value: value} }
