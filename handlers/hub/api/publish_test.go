package api_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
)

// authenticate lets in who has a token that is a name: "ada", who may publish in
// "chat:*"; and who has none, who may publish in "open".
func authenticate(_ *asgi.Scope, token string) (hub.Identity, error) {
	switch token {
	case "":
		return hub.Identity{Grants: hub.Grants{Publish: []string{"open"}}}, nil
	case "ada", "bob":
		return hub.Identity{User: token, Grants: hub.Grants{Publish: []string{"chat:*"}}}, nil
	case "old":
		return hub.Identity{}, &hub.Error{Code: hub.TokenExpired, Text: "the token has expired"}
	}
	return hub.Identity{}, errors.New("a database said no")
}

func newPublish(t *testing.T, config api.PublishConfig) *api.Publish {
	t.Helper()
	if config.Authenticate == nil {
		config.Authenticate = authenticate
	}
	h, err := api.NewPublish(config)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPublish(t *testing.T) {
	h := newHub(t, hub.Config{MaxPublishBytes: 100})
	p := newPublish(t, api.PublishConfig{Hub: h})
	for _, c := range []struct {
		method, target, token, body string
		status                      int
		says                        string
	}{
		{"POST", "/", "ada", `{"channel":"chat:1","data":{"a":1}}`, 200, `"offset":1}`},
		{"POST", "/", "ada", `{"channel":"chat:1","text":"x","key":"k"}`, 200, `"offset":2}`},
		{"POST", "/", "ada", `{"channel":"chat:1","text":"x","key":"k"}`, 200, `"offset":2,"duplicate":true}`},
		{"POST", "/?token=bob", "", `{"channel":"chat:1","text":"x"}`, 200, `"offset":3}`},
		{"POST", "/", "", `{"channel":"open","base64":"AA=="}`, 200, `"offset":1}`},
		{"POST", "/", "", `{"channel":"chat:1","text":"x"}`, 403, `"code":"not_allowed"`},
		{"POST", "/", "ada", `{"channel":"open","text":"x"}`, 403, `"code":"not_allowed"`},
		{"POST", "/", "ada", `{"channel":"chat:*","text":"x"}`, 400, `"code":"bad_channel"`},
		{"POST", "/", "ada", `{"channel":"chat:1","text":"x","from":"bob"}`, 400, `there is no key \"from\"`},
		{"POST", "/", "ada", `{"channel":"chat:1","text":"` + strings.Repeat("x", 101) + `"}`, 413, `"code":"too_large"`},
		{"POST", "/", "ada", strings.Repeat(" ", 17<<10), 413, `"code":"too_large"`},
		{"POST", "/", "ada", `{"channel":"chat:1"}`, 400, `"code":"bad_request"`},
		{"POST", "/", "ada", `text`, 400, `"code":"bad_request"`},
		{"POST", "/", "old", `{"channel":"chat:1","text":"x"}`, 401, `"code":"token_expired"`},
		{"POST", "/", "eve", `{"channel":"chat:1","text":"x"}`, 401, `{"code":"bad_token","text":"you may not come in"}`},
		{"GET", "/", "ada", "", 405, "POST"},
		{"OPTIONS", "/", "ada", "", 405, "POST"},
	} {
		scope := asgitest.HTTPScope(c.method, c.target)
		if c.token != "" {
			scope.Headers = append(scope.Headers, bearer(c.token))
		}
		r := asgitest.Do(t, p, scope, []byte(c.body))
		if r.Status != c.status || !strings.Contains(string(r.Body), c.says) {
			t.Errorf("%s %s of %q, %s: %d %s, want %d %s", c.method, c.target, c.token, c.body, r.Status, r.Body, c.status, c.says)
		}
		if (r.Status == 401) != (r.Header("www-authenticate") != "") {
			t.Errorf("%d with %v", r.Status, r.Headers)
		}
	}
	var got []string
	h.History("chat:1", hub.Position{}, hub.Limit{Messages: -1, Bytes: -1}, func(h hub.History, err error) {
		for _, m := range h.Messages {
			got = append(got, m.Publisher+" "+string(m.Data))
		}
	})
	if all := strings.Join(got, "|"); all != `ada {"a":1}|ada x|bob x` {
		t.Errorf("the history is %s", all)
	}
}

// Each sender has a rate, and a channel that of all.
func TestRates(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	h := newHub(t, hub.Config{
		PublishRate: 2, PublishBurst: 3,
		Channels: map[string]hub.Options{"chat:busy": {PublishRate: 1, PublishBurst: 4}},
		Now:      func() time.Time { return now },
	})
	p := newPublish(t, api.PublishConfig{Hub: h})
	send := func(token, channel, from string) *asgitest.Response {
		t.Helper()
		scope := asgitest.HTTPScope("POST", "/")
		scope.Client.Host = from
		if token != "" {
			scope.Headers = append(scope.Headers, bearer(token))
		}
		return asgitest.Do(t, p, scope, []byte(`{"channel":"`+channel+`","text":"x"}`))
	}
	expect := func(r *asgitest.Response, status int, says string) {
		t.Helper()
		if r.Status != status || !strings.Contains(string(r.Body), says) {
			t.Errorf("%d %v %s, want %d %s", r.Status, r.Headers, r.Body, status, says)
		}
	}
	for range 3 {
		expect(send("ada", "chat:1", "a"), 200, "")
		expect(send("", "open", "a"), 200, "")
	}
	refused := send("ada", "chat:2", "b")
	expect(refused, 429, `"code":"too_fast","text":"you publish too much","retry_ms":500}`)
	if refused.Header("retry-after") != "1" {
		t.Errorf("%v", refused.Headers)
	}
	expect(send("", "open", "a"), 429, "too_fast")
	expect(send("", "open", "b"), 200, "") // another address
	expect(send("bob", "chat:busy", "a"), 200, "")
	now = now.Add(500 * time.Millisecond)
	expect(send("ada", "chat:busy", "a"), 200, "")
	expect(send("ada", "chat:busy", "a"), 429, "you publish too much")
	expect(send("bob", "chat:busy", "a"), 200, "")
	expect(send("bob", "chat:busy", "a"), 200, "")
	now = now.Add(time.Second / 4)
	now = now.Add(time.Second / 4)
	expect(send("bob", "chat:busy", "a"), 200, "")
	expect(send("ada", "chat:busy", "a"), 429, "too much is published in this channel")
}

func TestOrigins(t *testing.T) {
	h := newHub(t, hub.Config{})
	p := newPublish(t, api.PublishConfig{Hub: h, AllowedOrigins: []string{"https://friend.example"}})
	for _, c := range []struct {
		method, origin string
		status         int
		allowed        string
	}{
		{"POST", "", 200, ""},
		{"POST", "http://gale.example", 200, ""},
		{"POST", "https://friend.example", 200, "https://friend.example"},
		{"POST", "https://stranger.example", 403, ""},
		{"OPTIONS", "https://friend.example", 204, "https://friend.example"},
		{"OPTIONS", "https://stranger.example", 403, ""},
	} {
		scope := asgitest.HTTPScope(c.method, "/", asgi.Header{Name: "host", Value: "gale.example"},
			asgi.Header{Name: "access-control-request-method", Value: "POST"})
		if c.origin != "" {
			scope.Headers = append(scope.Headers, asgi.Header{Name: "origin", Value: c.origin})
		}
		r := asgitest.Do(t, p, scope, []byte(`{"channel":"open","text":"x"}`))
		if r.Status != c.status || r.Header("access-control-allow-origin") != c.allowed || r.Header("vary") != "origin" {
			t.Errorf("%s of %q: %d %v", c.method, c.origin, r.Status, r.Headers)
		}
	}
	if n := h.Stats().Published; n != 3 {
		t.Errorf("%d were published", n)
	}
}

// A hub that is closed says so.
func TestDraining(t *testing.T) {
	h := newHub(t, hub.Config{})
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	p := newPublish(t, api.PublishConfig{Hub: h})
	r := asgitest.Do(t, p, asgitest.HTTPScope("POST", "/"), []byte(`{"channel":"open","text":"x"}`))
	if r.Status != 503 || !strings.Contains(string(r.Body), `"code":"draining"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}
