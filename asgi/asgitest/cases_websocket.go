package asgitest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gale-server/gale/asgi"
)

const (
	specWSScope   = specWWW + "#websocket-connection-scope"
	specConnect   = specWWW + "#connect-receive-event"
	specAccept    = specWWW + "#accept-send-event"
	specWSReceive = specWWW + "#receive-receive-event"
	specWSSend    = specWWW + "#send-send-event"
	specDenial    = specExtensions + "#websocket-denial-response"
	rfcHandshake  = "https://www.rfc-editor.org/rfc/rfc6455#section-4.2"
)

func denial(status int, headers ...string) *asgi.WebSocketDenialStart {
	return &asgi.WebSocketDenialStart{Status: status, Headers: fields(headers...)}
}

func denied(body string, rest bool) *asgi.WebSocketDenialBody {
	return &asgi.WebSocketDenialBody{Body: []byte(body), MoreBody: rest}
}

func accept(subprotocol string, headers ...string) *asgi.WebSocketAccept {
	return &asgi.WebSocketAccept{Subprotocol: subprotocol, Headers: fields(headers...)}
}

// leave closes an open WebSocket from the client's side, in order.
func (w *wire) leave() {
	w.tb.Helper()
	w.write(closeFrame(1000, ""))
	w.closing(1000, "")
	w.ends()
}

var webSocketCases = []testCase{
	{
		name:   "ws/01 scope keys",
		clause: "type, asgi.spec_version, http_version, scheme, path, raw_path, query_string, root_path; no method",
		link:   specWSScope,
		run: func(s *session) {
			s.serve(on("/café", accepted(gone(), scopeHas(func(sc *asgi.Scope) error {
				return want("scope", strings.Join([]string{
					string(sc.Type), sc.SpecVersion, sc.HTTPVersion, sc.Method, sc.Scheme, sc.Path, sc.RawPath, sc.QueryString, sc.RootPath,
				}, " "), "websocket "+asgi.SpecVersion+" 1.1  ws /café /caf%C3%A9 x=1 ")
			}))...))
			w := s.dial()
			w.upgrade("/caf%C3%A9?x=1")
			w.leave()
		},
	},
	{
		name:   "ws/02 subprotocols in the client's order",
		clause: "subprotocols: those the client offers, of one field or several",
		link:   specWSScope,
		run: func(s *session) {
			check := func(offer ...string) step {
				return scopeHas(func(sc *asgi.Scope) error {
					if !slices.Equal(sc.Subprotocols, offer) {
						return fmt.Errorf("subprotocols are %q, want %q", sc.Subprotocols, offer)
					}
					return nil
				})
			}
			s.serve(on("/", accepted(check("b", "a", "c"), gone())...), on("/none", accepted(check(), gone())...))
			w := s.dial()
			w.upgrade("/", "Sec-WebSocket-Protocol: b, a", "Sec-WebSocket-Protocol: c").has("sec-websocket-protocol")
			w.leave()
			w = s.dial()
			w.upgrade("/none")
			w.leave()
		},
	},
	{
		name:   "ws/03 connect comes first, and 101 waits for accept",
		clause: "websocket.connect: sent during the handshake, which is answered by websocket.accept alone",
		link:   specConnect,
		run: func(s *session) {
			s.serve(on("/", connected(), signal("connected"), wait("decide"), send(accept("", "x-decided: yes")), gone()))
			w := s.dial()
			w.write(handshake("/"))
			s.wait("connected")
			s.signal("decide")
			w.switched().has("x-decided", "yes")
			w.leave()
		},
	},
	{
		name:   "ws/04 accept headers are on the 101",
		clause: "headers (2.1): added to the response, order and repetition kept",
		link:   specAccept,
		run: func(s *session) {
			s.serve(on("/", connected(), send(accept("", "set-cookie: a=1", "set-cookie: b=2")), gone()))
			w := s.dial()
			w.upgrade("/").has("set-cookie", "a=1", "b=2")
			w.leave()
		},
	},
	{
		name:   "ws/05 the subprotocol is one of the offer",
		clause: "subprotocol: goes on the 101; decision: one that was not offered is an error of the application",
		link:   specAccept,
		run: func(s *session) {
			s.serve(on("/", connected(), send(accept("b")), gone()),
				on("/other", connected(), sendMalformed(accept("c")), raise()))
			w := s.dial()
			w.upgrade("/", "Sec-WebSocket-Protocol: a, b").has("sec-websocket-protocol", "b")
			w.leave()
			w = s.dial()
			w.write(handshake("/other", "Sec-WebSocket-Protocol: a, b"))
			w.response("GET").hasStatus(500)
		},
	},
	{
		name:   "ws/06 accept must not set handshake fields",
		clause: "headers: no sec-websocket-protocol; nothing malformed",
		link:   specAccept,
		run: func(s *session) {
			s.serve(on("/a", connected(), sendMalformed(accept("", "sec-websocket-protocol: b")), raise()),
				on("/b", connected(), sendMalformed(accept("", "x: a\r\ny: b")), raise()))
			for _, path := range []string{"/a", "/b"} {
				w := s.dial()
				w.write(handshake(path, "Sec-WebSocket-Protocol: b"))
				w.response("GET").hasStatus(500).has("y")
			}
		},
	},
	{
		name:   "ws/07 close before accept is 403",
		clause: "websocket.close: before accept, the handshake is refused with 403; the application then gets the disconnect",
		link:   specWWW + "#close-send-event",
		run: func(s *session) {
			s.serve(on("/", connected(), send(&asgi.WebSocketClose{Code: 4000}), closed(1006, "")))
			w := s.dial()
			w.write(handshake("/"))
			w.response("GET").hasStatus(403).has("sec-websocket-accept")
			s.wait(endOf("/")) // the disconnect does not wait for the client to leave
			w.closeWrite()
			w.ends()
		},
	},
	{
		name:   "ws/08 denial response",
		clause: "websocket.http.response: status, headers and body in place of the handshake",
		link:   specDenial,
		run: func(s *session) {
			s.serve(on("/", connected(), scopeHas(func(sc *asgi.Scope) error {
				if !sc.Supports(asgi.ExtDenialResponse) {
					return fmt.Errorf("the extension is not advertised")
				}
				return nil
			}), send(denial(401, "www-authenticate: Basic")), send(denied("who?", false)), gone()))
			w := s.dial()
			w.write(handshake("/"))
			w.response("GET").is(401, "who?").framed("length").has("www-authenticate", "Basic")
			s.wait(endOf("/"))
			w.closeWrite()
			w.ends()
		},
	},
	{
		name:   "ws/09 denial response in pieces",
		clause: "websocket.http.response.body: more_body; no other event may follow its start",
		link:   specDenial,
		run: func(s *session) {
			s.serve(on("/", connected(), send(denial(404)), sendOutOfOrder(accept("")), sendOutOfOrder(&asgi.WebSocketClose{}),
				send(denied("not ", true)), sendOutOfOrder(sendText("x")), send(denied("here", false))))
			w := s.dial()
			w.write(handshake("/"))
			w.response("GET").is(404, "not here").framed("chunked")
		},
	},
	{
		name:   "ws/10 denial that stops in the middle",
		clause: "decision: a truncated response is never ended cleanly",
		link:   specDenial,
		run: func(s *session) {
			s.serve(on("/", connected(), send(denial(404)), send(denied("not ", true)), raise()),
				on("/start", connected(), send(denial(404)), raise()))
			w := s.dial()
			w.write(handshake("/"))
			w.response("GET").truncated()
			w.ends()
			w = s.dial()
			w.write(handshake("/start"))
			w.response("GET").hasStatus(500)
		},
	},
	{
		name:   "ws/11 ends before accept",
		clause: "an application that dies, or returns, before accept: 500",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/raise", connected(), raise()), on("/return", connected()), on("/panic", connected(), die()))
			for _, path := range []string{"/raise", "/return", "/panic"} {
				w := s.dial()
				w.write(handshake(path))
				w.response("GET").hasStatus(500)
			}
		},
	},
	{
		name:   "ws/12 send before accept",
		clause: "websocket.send: only after accept; the exchange is as it was",
		link:   specWSSend,
		run: func(s *session) {
			s.serve(on("/", connected(), sendOutOfOrder(sendText("early")), send(accept("")), send(sendText("now")), gone()))
			w := s.dial()
			w.upgrade("/")
			w.message(opText, "now")
			w.leave()
		},
	},
	{
		name:   "ws/13 out of order after accept",
		clause: "accept once; no denial of what was accepted; no event of http",
		link:   specAccept,
		run: func(s *session) {
			s.serve(on("/", accepted(sendOutOfOrder(accept("")), sendOutOfOrder(denial(403)), sendOutOfOrder(denied("", false)),
				sendOutOfOrder(start(200)), send(sendText("fine")), gone())...))
			w := s.dial()
			w.upgrade("/")
			w.message(opText, "fine")
			w.leave()
		},
	},
	{
		name:   "ws/14 handshake fields are token lists in any case",
		clause: "Connection: a list that has upgrade; Upgrade: websocket in any case (RFC 6455 section 4.2.1)",
		link:   rfcHandshake,
		run: func(s *session) {
			s.serve(on("/", accepted(gone())...))
			w := s.dial()
			w.write(requestHead("GET /", "upgrade: WebSocket", "connection: keep-alive, UPGRADE",
				"sec-websocket-version: 13", "sec-websocket-key: "+webSocketKey))
			w.switched()
			w.leave()
		},
	},
	{
		name:   "ws/15 another version is 426",
		clause: "a version other than 13 is answered with 426 and the version that is known (RFC 6455 section 4.4)",
		link:   "https://www.rfc-editor.org/rfc/rfc6455#section-4.4",
		run: func(s *session) {
			s.serve()
			w := s.dial()
			w.write(requestHead("GET /", "Upgrade: websocket", "Connection: Upgrade",
				"Sec-WebSocket-Version: 8", "Sec-WebSocket-Key: "+webSocketKey))
			w.response("GET").hasStatus(426).has("sec-websocket-version", "13")
		},
	},
	{
		name:   "ws/16 a key that is none is 400",
		clause: "Sec-WebSocket-Key decodes to 16 bytes (RFC 6455 section 4.2.1)",
		link:   rfcHandshake,
		run: func(s *session) {
			s.serve()
			for _, key := range []string{"", "Sec-WebSocket-Key: AAAA"} {
				w := s.dial()
				lines := []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"}
				if key != "" {
					lines = append(lines, key)
				}
				w.write(requestHead("GET /", lines...))
				w.response("GET").hasStatus(400)
			}
		},
	},
	{
		name:   "ws/17 a foreign page is refused",
		clause: "Origin: absent and own are accepted, a foreign one gets 403 (RFC 6455 section 10.2)",
		link:   "https://www.rfc-editor.org/rfc/rfc6455#section-10.2",
		run: func(s *session) {
			s.serve(on("/", accepted(gone())...))
			w := s.dial()
			w.upgrade("/", "Origin: http://test")
			w.leave()
			w = s.dial()
			w.write(handshake("/", "Origin: http://evil.test"))
			w.response("GET").hasStatus(403)
		},
	},
	{
		name:   "ws/18 after a refused denial another event may follow",
		clause: "send: after an error the exchange is as it was (on the loop, where the error is known at once)",
		link:   specDenial,
		only:   []string{formEvent, formCoroutine, formAdapted},
		run: func(s *session) {
			s.serve(on("/", connected(), sendMalformed(denial(101)), sendMalformed(denial(403, "x: \n")),
				send(denial(403, "content-length: 2")), sendMalformed(denied("too long", true)), send(denied("no", false)), gone()))
			w := s.dial()
			w.write(handshake("/"))
			w.response("GET").is(403, "no")
		},
	},
}
