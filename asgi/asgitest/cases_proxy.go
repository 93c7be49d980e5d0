package asgitest

import (
	"strings"

	"github.com/gale-server/gale/asgi"
)

// behindProxy trusts the suite's own clients as proxies.
var behindProxy = Setup{TrustedProxies: []string{"127.0.0.1"}}

var forwardedFields = []string{"X-Forwarded-For: 192.0.2.1, 198.51.100.7", "X-Forwarded-Proto: https"}

// behind is what the scope says of who is behind the proxy.
func behind(expected string) step {
	return scopeHas(func(sc *asgi.Scope) error {
		return want("client and scheme", sc.Client.Host+" "+sc.Scheme, expected)
	})
}

// proxyCases are about a server behind proxies, and the fields that it adds itself.
var proxyCases = []testCase{
	{
		name:   "http/160 a trusted proxy says who is behind it",
		clause: "client, scheme: of the original client; the last address that no trusted proxy has",
		link:   specHTTPScope,
		run: func(s *session) {
			s.serveWith(behindProxy, respond("/", "ok", behind("198.51.100.7 https")))
			s.dial().get("/", forwardedFields...).is(200, "ok")
		},
	},
	{
		name:   "http/161 nobody else does",
		clause: "a client can send any field; it is not believed",
		link:   specHTTPScope,
		run: func(s *session) {
			asked(s, "/", requestHead("GET /", forwardedFields...), func(sc *asgi.Scope) error {
				return want("client and scheme", sc.Client.Host+" "+sc.Scheme, "127.0.0.1 http")
			})
		},
	},
	{
		name:   "ws/90 a trusted proxy says who is behind it",
		clause: "client, scheme: of the original client; wss where the proxy was asked by TLS",
		link:   specWSScope,
		run: func(s *session) {
			s.serveWith(behindProxy, on("/", accepted(gone(), behind("198.51.100.7 wss"))...))
			w := s.dial()
			w.upgrade("/", forwardedFields...)
			w.leave()
		},
	},
	{
		name:   "http/162 fields of the server's own",
		clause: "added where the application has none of the name, however it spells it",
		link:   specStart,
		run: func(s *session) {
			setup := Setup{Headers: []asgi.Header{{Name: "X-Frame-Options", Value: "DENY"}, {Name: "x-app", Value: "default"}, {Name: "x-app", Value: "twice"}}}
			s.serveWith(setup, respond("/", "ok"), on("/own", send(start(200, "x-frame-options: SAMEORIGIN", "X-APP: own")), send(last("ok"))))
			w := s.dial()
			w.get("/").is(200, "ok").has("x-frame-options", "DENY").has("x-app", strings.Fields("default twice")...)
			w.get("/own").is(200, "ok").has("x-frame-options", "SAMEORIGIN").has("x-app", "own")
		},
	},
}
