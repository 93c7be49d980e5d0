package websocket

import (
	"strings"
	"testing"
)

func TestCheckOrigin(t *testing.T) {
	for _, c := range []struct {
		origin, host string
		allowed      []string
		accepted     bool
	}{
		{"", "example.com", nil, true},
		{"http://example.com", "example.com", nil, true},
		{"https://example.com", "example.com", nil, true}, // TLS may end before us
		{"https://EXAMPLE.com", "example.COM", nil, true},
		{"http://example.com:8080", "example.com:8080", nil, true},
		{"https://example.com:443", "example.com", nil, true},
		{"https://example.com", "example.com:443", nil, true},
		{"http://example.com", "example.com:80", nil, true},
		{"http://example.com:", "example.com", nil, true},
		{"http://[::1]:8080", "[::1]:8080", nil, true},
		{"http://[::1]", "[::1]", nil, true},

		{"http://example.com", "example.com:8080", nil, false},
		{"http://example.com:8080", "example.com", nil, false},
		{"http://example.com", "example.com:443", nil, false},
		{"https://example.com", "example.com:80", nil, false},
		{"http://evil.com", "example.com", nil, false},
		{"http://example.com.evil.com", "example.com", nil, false},
		{"http://evilexample.com", "example.com", nil, false},
		{"http://sub.example.com", "example.com", nil, false},
		{"http://example.com@evil.com", "example.com", nil, false},
		{"http://user@example.com", "user@example.com", nil, false},
		{"http://evil.com#example.com", "example.com", nil, false},
		{"http://example.com/", "example.com/", nil, false},
		{"http://example.com:80x", "example.com:80x", nil, false},
		{"http://::1", "::1", nil, false},
		{"http://[::1]:8080", "[::2]:8080", nil, false},
		{"http://\u212aelvin.com", "kelvin.com", nil, false},
		{"http://\xff.com", "\xfe.com", nil, false},
		{"http://", "", nil, false},
		{"http://:80", ":80", nil, false},
		{"://example.com", "example.com", nil, false},
		{"example.com", "example.com", nil, false},
		{"file://", "", nil, false},
		{"chrome-extension://example.com", "example.com", nil, false},
		{"null", "null", nil, false},
		{"null", "example.com", nil, false},

		{"https://app.example.com", "api.example.com", []string{"https://app.example.com"}, true},
		{"https://app.example.com", "api.example.com", []string{"https://other.com", "HTTPS://App.Example.com:443"}, true},
		{"https://app.example.com:443", "api.example.com", []string{"https://app.example.com"}, true},
		{"http://app.example.com", "api.example.com", []string{"https://app.example.com"}, false},
		{"https://app.example.com:8443", "api.example.com", []string{"https://app.example.com"}, false},
		{"https://app.example.com", "api.example.com", []string{"app.example.com", "*.example.com", "https://*"}, false},
		{"http://[0:0::1]:8080", "[::1]:8080", nil, true},
		{"http://example.com.", "example.com", nil, true},
		{"http://example.com", "example.com.:80", nil, true},
		{"http://example.com:080", "example.com", nil, false},
		{"http://example.com:99999", "example.com:99999", nil, false},
		{"http://[::1", "[::1", nil, false},
		{"http://[fe80::1%25eth0]", "[fe80::1%25eth0]", nil, false},
		{"http://[1.2.3.4]", "[1.2.3.4]", nil, false},
		{"https://[2001:DB8::1]", "a", []string{"https://[2001:db8:0:0::1]:443"}, true},
		{"https://a.example.com", "b", []string{"https://*.example.com"}, true},
		{"https://A.b.Example.com:443", "b", []string{"https://*.EXAMPLE.com."}, true},
		{"https://a.example.com:8443", "b", []string{"https://*.example.com:8443"}, true},
		{"https://example.com", "b", []string{"https://*.example.com"}, false},
		{"https://a.example.com", "b", []string{"http://*.example.com"}, false},
		{"https://a.example.com:8443", "b", []string{"https://*.example.com"}, false},
		{"https://aexample.com", "b", []string{"https://*.example.com"}, false},
		{"https://a.example.com.evil.com", "b", []string{"https://*.example.com"}, false},
		{"https://*.example.com", "b", []string{"https://*.example.com"}, false},
		{"https://.example.com", "b", []string{"https://*.example.com"}, false},
		{"https://a.example.com/", "b", []string{"https://*.example.com"}, false},
		{"https://u@a.example.com", "b", []string{"https://*.example.com"}, false},
		{"https://evil.com", "api.example.com", []string{"*"}, true},
		{"null", "api.example.com", []string{"*"}, true},
		{"null", "api.example.com", []string{"null"}, false}, // which is no entry
		{"app://desktop", "api.example.com", []string{"app://desktop"}, true},
		{"app://other", "api.example.com", []string{"app://desktop"}, false},
		{"", "api.example.com", []string{"https://app.example.com"}, true},

		// A name has 253 bytes at most, and an origin no more than a scheme, a name and a port.
		{"https://" + strings.Repeat("a", 253-12) + ".example.org", "api.example.com", []string{"https://*.example.org"}, true},
		{"https://" + strings.Repeat("a", 254-12) + ".example.org", "api.example.com", []string{"https://*.example.org"}, false},
		{"https://" + strings.Repeat("a.", 30_000) + "example.org", "api.example.com", []string{"https://*.example.org"}, false},
		{"https://" + strings.Repeat("a", 254), strings.Repeat("a", 254), nil, false},
		{"https://a.example.org:" + strings.Repeat("4", 60_000), "api.example.com", []string{"https://*.example.org"}, false},
		{strings.Repeat("s", 60_000) + "://a.example.org", "api.example.com", []string{"https://*.example.org"}, false},
		{"https://[" + strings.Repeat(":", 60_000) + "]", "api.example.com", []string{"https://*.example.org"}, false},
	} {
		err := CheckOrigin(c.origin, c.host, c.allowed)
		if (err == nil) != c.accepted || err != nil && err != error(errForeignOrigin) {
			t.Errorf("%q at %q, allowed %q: %v", c.origin, c.host, c.allowed, err)
		}
	}
}

// What would let nobody in is refused.
func TestNewOrigins(t *testing.T) {
	for _, entry := range []string{
		"", "null", "example.com", "*.example.com", "//example.com", "https://", "https://*", "https://*.", "https://*..com", "https://a.*", "https://a*.com", "https://*a.com",
		"https://*.*.com", "*://example.com", "https://example.com/", "https://example.com/a", "https://example.com?", "https://u@example.com", "https://example.com:0",
		"https://example.com:65536", "https://example.com:x", "https://m\u00fcller.example", "https://a b", " https://example.com", "https://[::1", "https://::1",
		"https://[fe80::1%eth0]", "https://*.[::1]", "app://*.desktop", "https:///a", "https://.example.com", "ht tp://a", "1a://b",
	} {
		if _, err := NewOrigins([]string{"https://good.example", entry}); err == nil {
			t.Errorf("%q is taken for an origin", entry)
		}
	}
	for _, entry := range []string{"*", "https://example.com", "HTTP://Example.com:8080", "https://*.example.com", "https://*.a.example.com:8443", "https://[::1]:8443", "http://10.0.0.1", "app://desktop",
		"https://xn--mller-kva.example", "https://a_b.example.", "chrome-extension://abcdef"} {
		if _, err := NewOrigins([]string{entry}); err != nil {
			t.Error(err)
		}
	}
}
