package variables

import (
	"reflect"
	"testing"

	"github.com/gale-server/gale/asgi"
)

func TestFields(t *testing.T) {
	scope := &asgi.Scope{Headers: []asgi.Header{
		{Name: "host", Value: "example.org"},
		{Name: "x-one", Value: "a"},
		{Name: "cookie", Value: "a=1"},
		{Name: "x_one", Value: "spoofed"},
		{Name: "x-one", Value: "b"},
		{Name: "proxy", Value: "http://evil"},
		{Name: "connection", Value: "close, X-Hop"},
		{Name: "x-hop", Value: "1"},
		{Name: "content-type", Value: "text/plain"},
		{Name: "authorization", Value: "secret"},
		{Name: "cookie", Value: "b=2"},
		{Name: "x-nul", Value: "a\x00b"},
		{Name: "x-octets", Value: "\xff"},
	}}
	want := map[string]string{"HTTP_HOST": "example.org", "HTTP_X_ONE": "a, b", "HTTP_COOKIE": "a=1; b=2", "HTTP_X_OCTETS": "\xff"}
	for _, authorization := range []bool{false, true} {
		got := map[string]string{}
		Fields(scope, authorization, func(name, value string) {
			if _, twice := got[name]; twice {
				t.Errorf("%s comes twice", name)
			}
			got[name] = value
		})
		if authorization {
			want["HTTP_AUTHORIZATION"] = "secret"
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestServerName(t *testing.T) {
	tcp := asgi.Address{Host: "192.0.2.1", Port: 8000}
	for _, c := range []struct {
		scheme, host string
		server       asgi.Address
		name, port   string
	}{
		{"http", "example.org", tcp, "example.org", "80"},
		{"https", "example.org", tcp, "example.org", "443"},
		{"http", "example.org:8080", tcp, "example.org", "8080"},
		{"http", "[::1]", tcp, "[::1]", "80"},
		{"http", "[::1]:81", tcp, "[::1]", "81"},
		{"http", "", tcp, "192.0.2.1", "8000"},
		{"http", "", asgi.Address{Host: "::1", Port: 8000}, "[::1]", "8000"},
		{"http", "", asgi.Address{Host: "/run/gale.sock"}, "localhost", "80"},
		{"http", "example.org:99999", tcp, "example.org", "80"},
	} {
		scope := &asgi.Scope{Scheme: c.scheme, Server: c.server}
		if c.host != "" {
			scope.Headers = []asgi.Header{{Name: "host", Value: c.host}}
		}
		if name, port := ServerName(scope); name != c.name || port != c.port {
			t.Errorf("%+v: %s %s", c, name, port)
		}
	}
}
