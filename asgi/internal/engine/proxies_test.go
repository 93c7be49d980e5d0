package engine

import (
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

func TestProxies(t *testing.T) {
	local := []string{"127.0.0.1", "::1", "unix"}
	for name, c := range map[string]struct {
		trusted []string
		peer    string
		headers []asgi.Header
		client  string
		scheme  string
	}{
		"nobody is trusted":         {nil, "127.0.0.1", forwarded("198.51.100.7", "https"), "127.0.0.1", "http"},
		"a stranger is not":         {local, "203.0.113.5", forwarded("198.51.100.7", "https"), "203.0.113.5", "http"},
		"a proxy is":                {local, "127.0.0.1", forwarded("198.51.100.7", "https"), "198.51.100.7", "https"},
		"over IPv6":                 {local, "::1", forwarded("198.51.100.7", "https"), "198.51.100.7", "https"},
		"mapped":                    {local, "::ffff:127.0.0.1", forwarded("198.51.100.7", "HTTPS"), "198.51.100.7", "https"},
		"over a Unix socket":        {local, "", forwarded("198.51.100.7", "https"), "198.51.100.7", "https"},
		"a Unix socket, not listed": {[]string{"127.0.0.1"}, "", forwarded("198.51.100.7", "https"), "", "http"},
		"the client made one up":    {local, "127.0.0.1", forwarded("10.9.8.7, 198.51.100.7", ""), "198.51.100.7", "http"},
		"two proxies":               {[]string{"10.0.0.0/8"}, "10.0.0.1", forwarded("10.9.8.7, 198.51.100.7, 10.0.0.2", ""), "198.51.100.7", "http"},
		"proxies alone":             {[]string{"10.0.0.0/8"}, "10.0.0.1", forwarded("10.0.0.3,10.0.0.2", ""), "10.0.0.3", "http"},
		"everybody":                 {[]string{"*"}, "203.0.113.5", forwarded("198.51.100.7, 192.0.2.1", "wss"), "198.51.100.7", "https"},
		"no address":                {local, "127.0.0.1", forwarded("unknown", "https"), "127.0.0.1", "https"},
		"none before an address":    {[]string{"10.0.0.0/8"}, "10.0.0.1", forwarded("198.51.100.7, _hidden, 10.0.0.2", ""), "10.0.0.2", "http"},
		"too many proxies":          {[]string{"*"}, "10.0.0.1", forwarded("198.51.100.7, 192.0.2.32"+strings.Repeat(", 10.0.0.2", maxProxies-1), ""), "192.0.2.32", "http"},
		"empty elements":            {local, "127.0.0.1", forwarded(", 198.51.100.7 , ,", ""), "198.51.100.7", "http"},
		"empty":                     {local, "127.0.0.1", forwarded("", ""), "127.0.0.1", "http"},
		"with a port":               {local, "127.0.0.1", forwarded("198.51.100.7:4711", ""), "198.51.100.7", "http"},
		"IPv6":                      {local, "127.0.0.1", forwarded("2001:db8::7", ""), "2001:db8::7", "http"},
		"IPv6 in brackets":          {local, "127.0.0.1", forwarded("[2001:db8::7]", ""), "2001:db8::7", "http"},
		"IPv6 with a port":          {local, "127.0.0.1", forwarded("[2001:db8::7]:4711", ""), "2001:db8::7", "http"},
		"two fields are one list": {local, "127.0.0.1",
			append(forwarded("198.51.100.7", "http"), forwarded("127.0.0.1", "https")...), "198.51.100.7", "https"},
		"the nearest proxy's scheme": {local, "127.0.0.1", forwarded("", "https, http"), "127.0.0.1", "http"},
		"a scheme that is none":      {local, "127.0.0.1", forwarded("", "ftp"), "127.0.0.1", "http"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := NewProxies(c.trusted)
			if err != nil {
				t.Fatal(err)
			}
			s := &asgi.Scope{Scheme: "http", Client: asgi.Address{Host: c.peer}, Headers: c.headers}
			p.Apply(s)
			if s.Client.Host != c.client || s.Scheme != c.scheme {
				t.Errorf("client %q by %q, want %q by %q", s.Client.Host, s.Scheme, c.client, c.scheme)
			}
		})
	}
}

func forwarded(client, proto string) (headers []asgi.Header) {
	return []asgi.Header{{Name: "x-forwarded-for", Value: client}, {Name: "x-forwarded-proto", Value: proto}}
}

func TestProxiesMalformed(t *testing.T) {
	for _, text := range []string{"", "localhost", "10.0.0.0/33", "127.0.0.1:80", "fe80::1%eth0", "::ffff:10.0.0.0/104", "**"} {
		if _, err := NewProxies([]string{text}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
