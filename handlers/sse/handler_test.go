package sse_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/sse"
)

func TestNew(t *testing.T) {
	h, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	anyone := hub.Anyone(hub.Everything)
	for want, c := range map[string]sse.Config{
		"Hub":           {Authenticate: anyone},
		"Authenticate":  {Hub: h},
		"ProofAge":      {Hub: h, Authenticate: anyone, ProofAge: -1},
		`"example.com"`: {Hub: h, Authenticate: anyone, AllowedOrigins: []string{"*", "example.com"}},
		`"https://a/b"`: {Hub: h, Authenticate: anyone, AllowedOrigins: []string{"https://a/b"}},
		`"https://a/"`:  {Hub: h, Authenticate: anyone, AllowedOrigins: []string{"https://a/"}},
		`"null"`:        {Hub: h, Authenticate: anyone, AllowedOrigins: []string{"null"}},
	} {
		if s, err := sse.New(c); err == nil || s != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := sse.New(sse.Config{Hub: h, Authenticate: anyone, AllowedOrigins: []string{"*", "https://a:8443"}}); err != nil {
		t.Error(err)
	}
}

func TestBadRequests(t *testing.T) {
	s := newStation(t, hub.Config{MaxSubscriptions: 3}, sse.Config{})
	place := s.publish("a", "1")
	good := secret(t).Sign(cursor.Cursor{Channels: []string{"a"}, Places: []hub.Position{place}})
	long := strings.Repeat("x", 256)
	bad := map[string]hub.ErrorCode{
		"":                      hub.BadRequest,
		"ch":                    hub.BadChannel,
		"ch=":                   hub.BadChannel,
		"ch=a,":                 hub.BadChannel,
		"ch=,a":                 hub.BadChannel,
		"ch=a,a":                hub.BadRequest,
		"ch=a&ch=a":             hub.BadRequest,
		"ch=a%20b":              hub.BadChannel,
		"ch=a%0Ab":              hub.BadChannel,
		"ch=a*b":                hub.BadChannel,
		"ch=a**":                hub.BadChannel,
		"ch=%ff":                hub.BadChannel,
		"ch=" + long:            hub.BadChannel,
		"ch=a,b,c,d":            hub.BadRequest,
		"ch=%zz":                hub.BadRequest,
		"ch=a&last=":            hub.BadRequest,
		"ch=a&last=-1":          hub.BadRequest,
		"ch=a&last=x":           hub.BadRequest,
		"ch=a&last=1e3":         hub.BadRequest,
		"ch=a&last=1,2":         hub.BadRequest,
		"ch=a,b&last=1,":        hub.BadRequest,
		"ch=a&after=7":          hub.BadRequest,
		"ch=a&after=e:":         hub.BadRequest,
		"ch=a&after=e:-1":       hub.BadRequest,
		"ch=a&after=e:1,f:1":    hub.BadRequest,
		"ch=a,b&after=e:1":      hub.BadRequest,
		"ch=a&cursor=x":         hub.BadCursor,
		"ch=b&cursor=" + good:   hub.BadCursor,
		"ch=a,b&cursor=" + good: hub.BadCursor,
	}
	for query, want := range bad {
		s.get(query).refused(400, want)
	}
	if n := s.handler.Stats().Refused; n != uint64(len(bad)) {
		t.Errorf("%d were refused", n)
	}
	for query, want := range map[string][]string{
		"ch=a":                  {"subscribed a 1/1 0"},
		"ch=a&last=0":           {"subscribed a 1/1 0"},
		"ch=a&last=1048576":     {"subscribed a 0/1 0", "a1 1"},
		"ch=a&cursor=" + good:   {"subscribed a 1/1 0"},
		"ch=*":                  {"subscribed * 0/0 0"},
		"ch=a&after=&unknown=1": {"subscribed a 1/1 0"},
	} {
		s.get(query).wants(want...)
	}
}

func TestMethods(t *testing.T) {
	s := newStation(t, hub.Config{}, sse.Config{})
	do := func(method, query string) *asgitest.Response {
		return asgitest.Do(t, s.handler, asgitest.HTTPScope(method, "/hub/sse?"+query), nil)
	}
	if r := do("HEAD", "ch=a"); r.Status != 200 || r.Header("content-type") != "text/event-stream" || len(r.Body) > 0 {
		t.Errorf("%+v", r)
	}
	if r := do("HEAD", ""); r.Status != 400 {
		t.Errorf("%+v", r)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "QUERY", "OPTIONS"} {
		if r := do(method, "ch=a"); r.Status != 405 || r.Header("allow") != "GET, HEAD" {
			t.Errorf("%s: %+v", method, r)
		}
	}
	if n := s.hub.Stats().Clients; n != 0 {
		t.Errorf("%d clients are left", n)
	}
	for _, scope := range []*asgi.Scope{asgitest.LifespanScope(), asgitest.WebSocketScope("/hub/sse?ch=a")} {
		x := asgitest.New(t, s.handler, scope)
		if err := x.WaitEnded(); err != asgi.ErrUnsupportedScope {
			t.Errorf("%s: %v", scope.Type, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	header := func(r *asgitest.Response, names ...string) (values []string) {
		for _, name := range names {
			values = append(values, r.Header(name))
		}
		return values
	}
	asks := asgi.Header{Name: "access-control-request-method", Value: "GET"}
	for _, tc := range []struct {
		allowed []string
		origin  string
		want    []string // allow-origin, allow-credentials, vary
	}{
		{nil, "https://a", []string{"", "", ""}},
		{nil, "", []string{"", "", ""}},
		{[]string{"https://a"}, "https://a", []string{"https://a", "true", "origin"}},
		{[]string{"https://a"}, "https://b", []string{"", "", "origin"}},
		{[]string{"https://a"}, "", []string{"", "", "origin"}},
		{[]string{"https://a"}, "null", []string{"", "", "origin"}},
		{[]string{"https://a"}, "*", []string{"", "", "origin"}},
		{[]string{"*"}, "https://b", []string{"*", "", "origin"}},
		{[]string{"*"}, "*", []string{"*", "", "origin"}},
		{[]string{"*", "https://a"}, "https://a", []string{"https://a", "true", "origin"}},
	} {
		s := newStation(t, hub.Config{}, sse.Config{AllowedOrigins: tc.allowed})
		var headers []asgi.Header
		if tc.origin != "" {
			headers = []asgi.Header{{Name: "origin", Value: tc.origin}}
		}
		for what, r := range map[string]*asgitest.Response{
			"stream":    s.get("ch=a", headers...).x.Response(),
			"error":     s.get("", headers...).x.Response(),
			"method":    asgitest.Do(t, s.handler, asgitest.HTTPScope("POST", "/", headers...), nil),
			"preflight": asgitest.Do(t, s.handler, asgitest.HTTPScope("OPTIONS", "/", append(slices.Clip(headers), asks)...), nil),
			"end":       s.get("ch=a", append(slices.Clip(headers), lastEventID("end"))...).x.Response(),
		} {
			got := header(r, "access-control-allow-origin", "access-control-allow-credentials", "vary")
			if !slices.Equal(got, tc.want) {
				t.Errorf("%v from %q, %s: %q", tc.allowed, tc.origin, what, got)
			}
			if what == "preflight" && tc.want[0] != "" && (r.Status != 204 || r.Header("access-control-allow-methods") != "GET" ||
				!strings.Contains(r.Header("access-control-allow-headers"), "authorization")) {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestAuthenticate(t *testing.T) {
	var identity hub.Identity
	var failure error
	token := ""
	s := newStation(t, hub.Config{}, sse.Config{Authenticate: func(_ *asgi.Scope, got string) (hub.Identity, error) {
		token = got
		return identity, failure
	}})
	failure = &hub.Error{Code: hub.BadToken, Text: "not yours"}
	s.get("ch=a&token=t1").refused(401, hub.BadToken)
	if token != "t1" {
		t.Errorf("the token is %q", token)
	}
	failure = errors.New("a secret")
	l := s.get("ch=a", asgi.Header{Name: "authorization", Value: "Bearer t2"})
	if token != "t2" || strings.Contains(body(l.x), "secret") {
		t.Errorf("the token is %q, %s", token, body(l.x))
	}
	l.wants("ended unavailable", "END")
	failure = nil
	s.get("ch=a").refused(403, hub.NotAllowed)
	identity.Grants.Subscribe = []string{"a", "b*"}
	for query, granted := range map[string]bool{
		"ch=a": true, "ch=b": true, "ch=bc,a": true, "ch=b*": true, "ch=bc*": true,
		"ch=a,c": false, "ch=*": false, "ch=a*": false, "ch=c": false,
	} {
		l := s.get(query)
		if granted {
			if len(l.next()) == 0 {
				t.Errorf("%s: %s", query, body(l.x))
			}
			l.leave()
		} else {
			l.refused(403, hub.NotAllowed)
		}
	}
	if l := s.get("ch=a,c,d"); !strings.Contains(body(l.x), `"channel":"c"`) {
		t.Errorf("which channel is refused is not said: %s", body(l.x))
	}
	identity.Expires = s.now
	s.get("ch=a").refused(401, hub.TokenExpired)
	identity.Expires = s.now.Add(1)
	s.get("ch=a").wants("subscribed a 0/0 0")

	s = newStation(t, hub.Config{Allow: func(*hub.Identity, hub.Action, string) error { return errors.New("a secret") }}, sse.Config{})
	l = s.get("ch=a")
	l.refused(403, hub.NotAllowed)
	if strings.Contains(body(l.x), "secret") {
		t.Error(body(l.x))
	}
}

// The stream ends with the identity.
func TestExpiry(t *testing.T) {
	for _, tc := range []struct {
		left time.Duration
		want []string
	}{
		{time.Minute, []string{"ended token_expired", "END"}},
		{time.Hour, []string{"END"}},
	} {
		var s *station
		s = newStation(t, hub.Config{}, sse.Config{Authenticate: func(*asgi.Scope, string) (hub.Identity, error) {
			return hub.Identity{Expires: s.now.Add(tc.left), Grants: hub.Everything}, nil
		}})
		l := s.get("ch=a")
		l.wants("subscribed a 0/0 0")
		id := l.browser().lastID
		l.x.Advance(50 * time.Second)
		l.wants()
		l.x.Advance(10 * time.Minute)
		l.wants(tc.want...)
		if l.browser().lastID != id {
			t.Error("a browser will not come back with a new token")
		}
		if n := s.hub.Stats().Clients; n != 0 {
			t.Errorf("%d clients are left", n)
		}
	}
}

// Browsers never come back after an error, so what is temporary is none.
func TestOverload(t *testing.T) {
	s := newStation(t, hub.Config{
		MaxClients:        3,
		MaxClientsPerUser: 1,
		Channels:          map[string]hub.Options{"small": {MaxSubscribers: 1}},
	}, sse.Config{Authenticate: as("ann")})
	first := s.get("ch=small")
	first.wants("subscribed small 0/0 0")
	l := s.get("ch=a") // the user's second
	l.wants("ended too_many", "END")
	r := l.x.Response()
	if r.Status != 200 || r.Header("content-type") != "text/event-stream" {
		t.Errorf("%+v", r)
	}
	if rest := retryOf(t, string(r.Body)[:strings.Index(string(r.Body), "event")]+"\n", 5000, 10000); rest != "" {
		t.Errorf("%q", r.Body)
	}
	if l.browser().lastID != "" {
		t.Error("who comes back will not get what it has missed")
	}
	first.leave()
	if st := s.handler.Stats(); st.TurnedAway != 1 || st.Opened != 1 || st.Streams != 0 {
		t.Errorf("%+v", st)
	}

	s = newStation(t, hub.Config{Channels: map[string]hub.Options{"small": {MaxSubscribers: 1}}}, sse.Config{Retry: -1})
	s.get("ch=small")
	l = s.get("ch=a,small,b") // found out too late for a status
	l.wants("subscribed a 0/0 0", "ended too_many", "END")
	if n := s.hub.Stats().Subscriptions; n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	s.hub.Close()
	s.get("ch=a").wants("ended draining", "END")
}
