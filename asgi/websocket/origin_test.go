package websocket

import "testing"

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
		{"https://evil.com", "api.example.com", []string{"*"}, true},
		{"null", "api.example.com", []string{"*"}, true},
		{"null", "api.example.com", []string{"null"}, true},
		{"app://desktop", "api.example.com", []string{"app://desktop"}, true},
		{"app://other", "api.example.com", []string{"app://desktop"}, false},
		{"", "api.example.com", []string{"https://app.example.com"}, true},
	} {
		err := CheckOrigin(c.origin, c.host, c.allowed)
		if (err == nil) != c.accepted || err != nil && err != error(errForeignOrigin) {
			t.Errorf("%q at %q, allowed %q: %v", c.origin, c.host, c.allowed, err)
		}
	}
}
