package sse_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/sse"
	"github.com/gale-server/gale/internal/longtest"
)

// waitLimit bounds the wait for something that should come at once.
const waitLimit = longtest.Patience

// station is a hub with its transport, and a clock.
type station struct {
	t       testing.TB
	hub     *hub.Hub
	handler *sse.Handler
	now     time.Time
}

// secret is that of every process of a test.
func secret(t testing.TB) *cursor.Signer {
	t.Helper()
	s, err := cursor.New([]byte("a secret of sixteen bytes, and more"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newStation makes one at which everybody may do everything, unless the config
// says otherwise.
func newStation(t testing.TB, hc hub.Config, c sse.Config) *station {
	t.Helper()
	s := &station{t: t, now: time.UnixMilli(1_800_000_000_000)}
	if hc.Now == nil {
		hc.Now = func() time.Time { return s.now }
	}
	var err error
	if s.hub, err = hub.New(hc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.hub.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Hub = s.hub
	if c.Authenticate == nil {
		c.Authenticate = hub.Anyone(hub.Everything)
	}
	if c.Cursors == nil {
		c.Cursors = secret(t)
	}
	if s.handler, err = sse.New(c); err != nil {
		t.Fatal(err)
	}
	return s
}

// as lets everybody in as a user.
func as(user string) hub.Authenticate {
	return func(*asgi.Scope, string) (hub.Identity, error) {
		return hub.Identity{User: user, Grants: hub.Everything}, nil
	}
}

// publish publishes texts, and returns the place of the last.
func (s *station) publish(channel string, texts ...string) (last hub.Position) {
	s.t.Helper()
	for _, text := range texts {
		r, err := s.hub.PublishOne(hub.Publication{Channel: channel, Data: []byte(text)})
		if err != nil {
			s.t.Fatal(err)
		}
		last = r.Position
	}
	return last
}

// listener is a client with a stream.
type listener struct {
	s    *station
	x    *asgitest.Exchange
	seen int  // events looked at
	over bool // the end, too
}

// get asks for a stream, without a retry field.
func (s *station) get(query string, headers ...asgi.Header) *listener {
	s.t.Helper()
	x := asgitest.New(s.t, s.handler, asgitest.HTTPScope("GET", "/hub/sse?"+query, headers...))
	x.Deliver(&asgi.HTTPRequest{})
	return &listener{s: s, x: x}
}

func lastEventID(id string) asgi.Header { return asgi.Header{Name: "last-event-id", Value: id} }

// browser is what a browser makes of the stream so far.
func (l *listener) browser() *browser {
	l.x.Run()
	return see(l.x.Response().Body)
}

// next returns the events that have come since the last call, in short:
//
//	a1 text            a message: its channel, offset and payload
//	gap a 3-5 2        a gap: the channel, offsets, and how many are missing
//	subscribed a 5/7 0 position, top, missing
//	ended a code       or without the channel
//	END                of the response
func (l *listener) next() (short []string) {
	l.s.t.Helper()
	for _, ev := range l.browser().events[l.seen:] {
		short = append(short, shorten(l.s.t, ev))
		l.seen++
	}
	if l.x.Response().Complete && !l.over {
		short = append(short, "END")
		l.over = true
	}
	return short
}

type (
	position struct {
		Epoch  string
		Offset uint64
	}
	// object has all keys of what is sent as data.
	object struct {
		Channel           string
		Epoch             string
		Offset            uint64
		Text              *string
		Data              json.RawMessage
		From              any
		To, Position, Top *position
		Missing           *int64
		Code              string
	}
)

func shorten(t testing.TB, ev dispatched) string {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(ev.Data), &o); err != nil {
		t.Fatalf("%+v: %v", ev, err)
	}
	switch ev.Type {
	case "message":
		data := string(o.Data)
		if o.Text != nil {
			data = *o.Text
		}
		return fmt.Sprintf("%s%d %s", o.Channel, o.Offset, data)
	case "gap":
		from := o.From.(map[string]any)
		return fmt.Sprintf("gap %s %v-%d %d", o.Channel, from["offset"], o.To.Offset, *o.Missing)
	case "subscribed":
		return fmt.Sprintf("subscribed %s %d/%d %d", o.Channel, o.Position.Offset, o.Top.Offset, *o.Missing)
	case "ended":
		return strings.Join(strings.Fields("ended "+o.Channel+" "+o.Code), " ")
	}
	return ev.Type
}

func (l *listener) wants(want ...string) {
	l.s.t.Helper()
	if got := l.next(); !slices.Equal(got, want) {
		l.s.t.Errorf("got %q, want %q", got, want)
	}
}

// leave closes the connection, and returns the last ID.
func (l *listener) leave() string {
	id := l.browser().lastID
	l.x.Deliver(&asgi.HTTPDisconnect{})
	return id
}

// refused checks an answer that is an error.
func (l *listener) refused(status int, code hub.ErrorCode) {
	l.s.t.Helper()
	r := l.x.Response()
	var p struct {
		Code hub.ErrorCode
		Text string
	}
	if err := json.Unmarshal(r.Body, &p); err != nil || r.Status != status || p.Code != code || p.Text == "" || !r.Complete ||
		r.Header("content-type") != "application/json" || r.Header("cache-control") != "no-store" {
		l.s.t.Errorf("got %d %v %s, want %d %s", r.Status, r.Headers, r.Body, status, code)
	}
	if (r.Header("www-authenticate") == "Bearer") != (status == 401) {
		l.s.t.Errorf("%d has %v", status, r.Headers)
	}
	if n := l.s.hub.Stats().Clients; n != 0 {
		l.s.t.Errorf("%d clients are left", n)
	}
}

// at is the parameter after of a place.
func at(places ...hub.Position) string {
	var list []string
	for _, p := range places {
		list = append(list, fmt.Sprintf("%s:%d", p.Epoch, p.Offset))
	}
	return "&after=" + url.QueryEscape(strings.Join(list, ","))
}
