package handlers_test

import (
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
)

func TestNetworkOf(t *testing.T) {
	for host, want := range map[string]string{
		"192.0.2.1":        "192.0.2.1",
		"::ffff:192.0.2.1": "::ffff:192.0.2.1",
		"2001:db8::1":      "2001:db8::/64",
		"2001:db8::ff:1":   "2001:db8::/64",
		"fe80::1%eth0":     "fe80::/64",
		"":                 "",
		"no address":       "no address",
	} {
		if got := handlers.NetworkOf(&asgi.Scope{Client: asgi.Address{Host: host, Port: 1}}); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
