package cors_test

import (
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/cors"
)

func field(headers []asgi.Header, name string) string {
	for _, h := range headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func scopeOf(method, origin string, more ...asgi.Header) *asgi.Scope {
	headers := append([]asgi.Header{{Name: "host", Value: "gale.example:8080"}}, more...)
	if origin != "" {
		headers = append(headers, asgi.Header{Name: "origin", Value: origin})
	}
	return asgitest.HTTPScope(method, "/", headers...)
}

func TestCheck(t *testing.T) {
	const own, friend, stranger = "http://gale.example:8080", "https://friend.example", "https://stranger.example"
	for _, c := range []struct {
		allowed     string
		origin      string
		ok          bool
		allow       string // Access-Control-Allow-Origin
		credentials bool
	}{
		{"", "", true, "", false},
		{"", own, true, "", false},
		{"", friend, false, "", false},
		{"", "null", false, "", false},
		{friend, "", true, "", false},
		{friend, own, true, "", false},
		{friend, friend, true, friend, true},
		{friend, friend + ":443", true, friend + ":443", true},
		{friend, "http://friend.example", false, "", false},
		{friend, friend + ".stranger.example", false, "", false},
		{friend, stranger, false, "", false},
		{friend, "null", false, "", false},
		{"*", stranger, true, "*", false},
		{"*", "null", true, "*", false},
		{"* " + friend, friend, true, friend, true},
		{"* " + friend, stranger, true, "*", false},
	} {
		o, err := cors.New(strings.Fields(c.allowed))
		if err != nil {
			t.Fatal(err)
		}
		headers, ok := o.Check(scopeOf("POST", c.origin))
		if ok != c.ok || field(headers, "access-control-allow-origin") != c.allow ||
			(field(headers, "access-control-allow-credentials") == "true") != c.credentials {
			t.Errorf("allowed %q, origin %q: %v, %v", c.allowed, c.origin, ok, headers)
		}
		if varies := field(headers, "vary") == "origin"; varies != (c.allowed != "") {
			t.Errorf("allowed %q, origin %q: vary %v", c.allowed, c.origin, varies)
		}
	}
}

func TestPreflight(t *testing.T) {
	o, err := cors.New([]string{"https://friend.example"})
	if err != nil {
		t.Fatal(err)
	}
	asked := asgi.Header{Name: "access-control-request-method", Value: "POST"}
	answer := func(scope *asgi.Scope) (r *asgitest.Response, was bool) {
		x := asgitest.New(t, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			was = o.Preflight(scope, x, "POST")
			return nil
		}), scope)
		return x.Response(), was
	}
	r, was := answer(scopeOf("OPTIONS", "https://friend.example", asked))
	if !was || r.Status != 204 || r.Header("access-control-allow-methods") != "POST" ||
		r.Header("access-control-allow-origin") != "https://friend.example" || !strings.Contains(r.Header("access-control-allow-headers"), "authorization") {
		t.Errorf("a friend: %v, %d %v", was, r.Status, r.Headers)
	}
	r, was = answer(scopeOf("OPTIONS", "https://stranger.example", asked))
	if !was || r.Status != 403 || r.Header("access-control-allow-origin") != "" || r.Header("access-control-allow-methods") != "" {
		t.Errorf("a stranger: %v, %d %v", was, r.Status, r.Headers)
	}
	for _, scope := range []*asgi.Scope{scopeOf("POST", "https://friend.example", asked), scopeOf("OPTIONS", "https://friend.example")} {
		if r, was := answer(scope); was || r.Status != 0 {
			t.Errorf("%s is taken for a preflight: %d", scope.Method, r.Status)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, origin := range []string{"", "friend.example", "https://", "https://friend.example/", "https://friend.example/page", "https://a b"} {
		if _, err := cors.New([]string{origin}); err == nil {
			t.Errorf("%q is taken for an origin", origin)
		}
	}
}
