package longpoll_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/longpoll"
)

// Whatever is wrong is said in the same form, and costs nothing that lasts.
func TestBadRequests(t *testing.T) {
	cursors, err := cursor.New([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	others, err := cursor.New([]byte("fedcba9876543210"))
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, hub.Config{MaxSubscriptions: 3}, longpoll.Config{Cursors: cursors, Authenticate: byToken, PollRate: -1})
	good := p.poll("ch=a&wait=0&token=ann").Cursor
	forged := others.Sign(cursor.Cursor{Channels: []string{"a"}, Places: []hub.Position{{Epoch: "e", Offset: 1}}, User: "ann", Expires: p.clock.Now().Add(time.Minute)})
	bearer := header("authorization", "Bearer ann")
	for _, tc := range []struct {
		query   string
		headers []asgi.Header
		want    string
	}{
		{"", nil, "400 bad_request"},
		{"cursor=" + good, nil, "400 bad_request"},
		{"ch=", nil, "400 bad_channel"},
		{"ch=a,", nil, "400 bad_channel"},
		{"ch=a&ch=", nil, "400 bad_channel"},
		{"ch=a%20b", nil, "400 bad_channel"},
		{"ch=a*", nil, "400 bad_channel"},
		{"ch=*", nil, "400 bad_channel"},
		{"ch=%ff", nil, "400 bad_channel"},
		{"ch=a%00", nil, "400 bad_channel"},
		{"ch=" + strings.Repeat("x", 256), nil, "400 bad_channel"},
		{"ch=%zz", nil, "400 bad_request"},
		{"ch=a;b", nil, "400 bad_request"},
		{"ch=a,b,a", nil, "400 bad_request"},
		{"ch=a,b,c,d", nil, "400 bad_request"},
		{"ch=a&wait=", nil, "400 bad_request"},
		{"ch=a&wait=-1", nil, "400 bad_request"},
		{"ch=a&wait=1.5", nil, "400 bad_request"},
		{"ch=a&wait=soon", nil, "400 bad_request"},
		{"ch=a&limit=0", nil, "400 bad_request"},
		{"ch=a&limit=x", nil, "400 bad_request"},
		{"ch=a&limit=-1", nil, "400 bad_request"},
		{"ch=a&last=-1", nil, "400 bad_request"},
		{"ch=a&last=x", nil, "400 bad_request"},
		{"ch=a&last=", nil, "400 bad_request"},
		{"ch=a,b&last=1,2,3", nil, "400 bad_request"},
		{"ch=a,b&last=1,", nil, "400 bad_request"},
		{"ch=a,b&after=e:1", nil, "400 bad_request"},
		{"ch=a&after=e", nil, "400 bad_request"},
		{"ch=a&after=e:", nil, "400 bad_request"},
		{"ch=a&after=e:-1", nil, "400 bad_request"},
		{"ch=a&after=e:99999999999999999999", nil, "400 bad_request"},
		{"ch=a&wait=0&after=", []asgi.Header{bearer}, "timeout"},
		{"ch=a&strict=yes", nil, "400 bad_request"},
		{"ch=a&sid=" + strings.Repeat("x", 65), nil, "400 bad_request"},
		{"ch=a&wait=0", nil, "401 bad_token"},
		{"ch=a&wait=0&token=late", nil, "401 token_expired"},
		{"ch=a&wait=0&token=broken", nil, "503 unavailable"},
		{"ch=a&wait=0", []asgi.Header{header("authorization", "Basic ann")}, "401 bad_token"},
		{"ch=secret&wait=0", []asgi.Header{bearer}, "403 not_allowed"},
		{"ch=a,secret&wait=0", []asgi.Header{bearer}, "403 not_allowed"},
		{with("a", "x"), nil, "400 bad_cursor"},
		{with("a", forged), nil, "400 bad_cursor"},
		{with("a", forged), []asgi.Header{bearer}, "400 bad_cursor"},
		{with("b", good), nil, "400 bad_cursor"},
		{with("a,b", good), []asgi.Header{bearer}, "400 bad_cursor"},
		{with("a", good[:len(good)-1]), nil, "400 bad_cursor"},
		{with("a", good) + "&wait=0", nil, "timeout"},
		{"ch=a&wait=0&strict=0&sid=" + strings.Repeat("x", 64), []asgi.Header{bearer}, "timeout"},
		{"ch=ann:inbox&wait=0", []asgi.Header{bearer}, "timeout"},
	} {
		before := p.polls.Stats()
		a := p.poll(tc.query, tc.headers...)
		if a.got() != tc.want {
			t.Errorf("%q: got %q, want %q", tc.query, a.got(), tc.want)
		}
		refused := uint64(0)
		if a.status != 200 {
			refused = 1
			if (a.Channel != "") != (a.Code == hub.NotAllowed) || a.Channel != "" && a.Channel != "secret" {
				t.Errorf("%q: it is about %q", tc.query, a.Channel)
			}
			if a.Text == "" || strings.Contains(a.Text, "secret of the server") || a.Cursor != "" {
				t.Errorf("%q: %+v", tc.query, a)
			}
		}
		r := a.response
		if r.Header("cache-control") != "no-store" || r.Header("content-type") != "application/json" || r.Header("x-accel-buffering") != "no" ||
			(r.Header("www-authenticate") == "Bearer") != (a.status == 401) {
			t.Errorf("%q: %v", tc.query, r.Headers)
		}
		if got := p.polls.Stats().Refused - before.Refused; got != refused {
			t.Errorf("%q: %d are counted as refused", tc.query, got)
		}
	}
	if s := p.hub.Stats(); s.Clients != 0 || s.Subscriptions != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

// A cursor stands for the authentication that it was made with, and its
// successors for no longer.
func TestProof(t *testing.T) {
	calls := 0
	identity := hub.Identity{User: "ann", Grants: hub.Grants{Subscribe: []string{"a"}}}
	var fails error
	p := open(t, hub.Config{}, longpoll.Config{PollRate: -1, ProofAge: 60 * time.Second, Authenticate: func(*asgi.Scope, string) (hub.Identity, error) {
		calls++
		return identity, fails
	}})
	at := p.poll("ch=a&wait=0").Cursor
	fails = &hub.Error{Code: hub.BadToken, Text: "no token"}
	for range 59 {
		p.clock.add(time.Second)
		a := p.poll(with("a", at) + "&wait=0")
		p.want(a, "timeout")
		at = a.Cursor
	}
	if calls != 1 {
		t.Errorf("authenticated %d times", calls)
	}
	p.publish("a", "x")
	p.clock.add(time.Second)
	p.want(p.poll(with("a", at)), "401 token_expired")
	fails = &hub.Error{Code: hub.NotAllowed, Text: "you are banned"}
	p.want(p.poll(with("a", at)), "403 not_allowed")
	fails = nil
	a := p.poll(with("a", at))
	p.want(a, "x data") // and it goes on where it was
	if calls != 4 {
		t.Errorf("authenticated %d times", calls)
	}
	p.want(p.poll(with("a", a.Cursor)+"&wait=0"), "timeout")

	// Another user does not go on with it, even if it may read the channel.
	p.clock.add(time.Minute)
	identity.User = "bob"
	p.want(p.poll(with("a", a.Cursor)), "400 bad_cursor")
	identity.User = "ann"

	// One that goes on for longer makes none longer.
	identity.Expires = p.clock.Now().Add(time.Hour)
	long := p.poll("ch=a&wait=0").Cursor
	p.clock.add(59 * time.Second)
	p.want(p.poll(with("a", long)+"&wait=0"), "timeout")
	p.clock.add(time.Second)
	fails = &hub.Error{Code: hub.BadToken, Text: "no token"}
	p.want(p.poll(with("a", long)+"&wait=0"), "401 token_expired")
	fails = nil

	// One that has ended is none.
	identity.Expires = p.clock.Now()
	p.want(p.poll("ch=a&wait=0"), "401 token_expired")

	// An identity that ends before ends the proof, and the wait.
	identity.Expires = p.clock.Now().Add(5 * time.Second)
	a = p.poll(with("a", a.Cursor) + "&wait=0")
	x := p.park(with("a", a.Cursor))
	x.Advance(5 * time.Second)
	p.want(p.answered(x), "timeout")
	p.clock.add(4 * time.Second)
	calls = 0
	p.want(p.poll(with("a", a.Cursor)+"&wait=0"), "timeout")
	p.clock.add(time.Second)
	identity.Expires = time.Time{}
	p.want(p.poll(with("a", a.Cursor)+"&wait=0"), "timeout")
	if calls != 1 {
		t.Errorf("authenticated %d times", calls)
	}
}

// The hub's Allow is asked for every poll, also one with a cursor.
func TestAllow(t *testing.T) {
	banned := false
	var user string
	p := open(t, hub.Config{Allow: func(who *hub.Identity, what hub.Action, channel string) error {
		user = who.User
		if what != hub.Subscribe || banned {
			return fmt.Errorf("no")
		}
		return nil
	}}, longpoll.Config{Authenticate: byToken})
	at := p.poll("ch=c&wait=0&token=ann").Cursor
	banned = true
	p.want(p.poll(with("c", at)), "403 not_allowed")
	if user != "ann" {
		t.Errorf("asked about %q", user)
	}
}

// Transports that share a Signer go on with each other's cursors, also with one
// that does not end: it is no proof for ever.
func TestSharedCursors(t *testing.T) {
	cursors, err := cursor.New([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, hub.Config{}, longpoll.Config{Cursors: cursors, Authenticate: byToken, PollRate: -1})
	r, err := p.hub.PublishOne(hub.Publication{Channel: "a", Data: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	p.publish("a", "y")
	c := cursor.Cursor{Channels: []string{"a"}, Places: []hub.Position{r.Position}, User: "ann"}
	p.want(p.poll(with("a", cursors.Sign(c))), "401 bad_token")
	p.want(p.poll(with("a", cursors.Sign(c))+"&token=bob"), "400 bad_cursor")
	p.want(p.poll(with("a", cursors.Sign(c))+"&token=ann"), "y data")
	c.Expires = p.clock.Now().Add(time.Minute)
	p.want(p.poll(with("a", cursors.Sign(c))), "y data")
}

func TestMethods(t *testing.T) {
	p := open(t, hub.Config{}, longpoll.Config{})
	do := func(method string) *asgitest.Response {
		return asgitest.Do(t, p.polls, asgitest.HTTPScope(method, "/hub/poll?ch=a"), nil)
	}
	if r := do("HEAD"); r.Status != 200 { // without a wait
		t.Errorf("HEAD: %d", r.Status)
	}
	if r := do("OPTIONS"); r.Status != 204 || r.Header("allow") != "GET, HEAD, OPTIONS" || r.Header("access-control-allow-methods") != "" {
		t.Errorf("OPTIONS: %d %v", r.Status, r.Headers)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "BREW"} {
		if r := do(method); r.Status != 405 || r.Header("allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: %d %v", method, r.Status, r.Headers)
		}
	}
	x := asgitest.New(t, p.polls, asgitest.WebSocketScope("/hub/poll?ch=a"))
	if err := x.Err(); err != asgi.ErrUnsupportedScope {
		t.Errorf("a WebSocket: %v", err)
	}
}

func TestOrigins(t *testing.T) {
	const page = "https://page.example"
	for _, tc := range []struct {
		allowed []string
		origin  string
		allow   string // "" for no fields
		cookies bool
	}{
		{nil, "", "", false},
		{nil, page, "", false},
		{[]string{page}, "", "", false},
		{[]string{page}, page, page, true},
		{[]string{page}, page + ".evil.example", "", false},
		{[]string{page}, "https://page.exampl", "", false},
		{[]string{page}, "http://page.example", "", false},
		{[]string{page}, "null", "", false},
		{[]string{"*"}, page, "*", false},
		{[]string{"*"}, "", "", false},
		{[]string{"*", page}, page, page, true},
		{[]string{page + ":443"}, page, page, true},
		{[]string{"https://*.example"}, page, page, true},
		{[]string{"https://other.example:8443", page}, "https://other.example:8443", "https://other.example:8443", true},
	} {
		p := open(t, hub.Config{}, longpoll.Config{AllowedOrigins: tc.allowed})
		var headers []asgi.Header
		if tc.origin != "" {
			headers = append(headers, header("origin", tc.origin))
		}
		for _, query := range []string{"ch=a&wait=0", "ch="} { // errors can be read, too
			r := p.poll(query, headers...).response
			if r.Header("access-control-allow-origin") != tc.allow || (r.Header("access-control-allow-credentials") == "true") != tc.cookies ||
				(r.Header("vary") == "origin") != (tc.allowed != nil) ||
				(r.Header("access-control-expose-headers") == "etag, preference-applied, retry-after") != (tc.allow != "") {
				t.Errorf("%+v, %s: %v", tc, query, r.Headers)
			}
		}
		status := 204
		if tc.origin != "" && tc.allow == "" {
			status = 403
		}
		headers = append(headers, header("access-control-request-method", "GET"))
		r := asgitest.Do(t, p.polls, asgitest.HTTPScope("OPTIONS", "/hub/poll", headers...), nil)
		if r.Status != status || r.Header("access-control-allow-origin") != tc.allow || (r.Header("access-control-allow-methods") == "GET") != (status == 204) {
			t.Errorf("%+v: preflight: %d %v", tc, r.Status, r.Headers)
		}
	}
}

func TestConfig(t *testing.T) {
	h, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	anyone := hub.Anyone(hub.Everything)
	for what, c := range map[string]longpoll.Config{
		"Hub":                      {Authenticate: anyone},
		"Authenticate":             {Hub: h},
		"ProofAge is negative":     {Hub: h, Authenticate: anyone, ProofAge: -1},
		"Wait is negative":         {Hub: h, Authenticate: anyone, Wait: -1},
		"MaxWait is negative":      {Hub: h, Authenticate: anyone, MaxWait: -1},
		"MaxMessages is negative":  {Hub: h, Authenticate: anyone, MaxMessages: -1},
		"MaxBytes is negative":     {Hub: h, Authenticate: anyone, MaxBytes: -1},
		"Linger is negative":       {Hub: h, Authenticate: anyone, Linger: -1},
		"MaxParked is negative":    {Hub: h, Authenticate: anyone, MaxParked: -1},
		"PollRate is no number":    {Hub: h, Authenticate: anyone, PollRate: math.NaN()},
		"PollBurst is negative":    {Hub: h, Authenticate: anyone, PollBurst: -1},
		`"page.example"`:           {Hub: h, Authenticate: anyone, AllowedOrigins: []string{"page.example"}},
		`"https://page.example/"`:  {Hub: h, Authenticate: anyone, AllowedOrigins: []string{"*", "https://page.example/"}},
		`"https://page.example/x"`: {Hub: h, Authenticate: anyone, AllowedOrigins: []string{"https://page.example/x"}},
		`""`:                       {Hub: h, Authenticate: anyone, AllowedOrigins: []string{""}},
	} {
		if polls, err := longpoll.New(c); err == nil || polls != nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: anyone}); err != nil {
		t.Error(err)
	}
}

func FuzzQuery(f *testing.F) {
	p := open(f, hub.Config{}, longpoll.Config{})
	f.Add("ch=a,b&cursor=&last=2&limit=3&wait=4&sid=5&strict=1&token=6", "wait=3", `"x"`)
	f.Add("ch=%2c;", "", "W/")
	f.Fuzz(func(t *testing.T, query, prefer, match string) {
		scope := asgitest.HTTPScope("HEAD", "/hub/poll", header("prefer", prefer), header("if-none-match", match))
		scope.QueryString = query
		x := asgitest.New(t, p.polls, scope)
		x.Deliver(&asgi.HTTPRequest{})
		if r := x.Response(); !r.Complete || r.Status != 200 && r.Status != 304 && (r.Status < 400 || r.Status > 410) && r.Status != 503 {
			t.Errorf("%q: %d %s", query, r.Status, r.Body)
		}
	})
}
