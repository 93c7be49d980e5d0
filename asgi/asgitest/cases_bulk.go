package asgitest

import (
	"strings"
	"sync"

	"github.com/gale-server/gale/asgi"
)

// bulkPayload is more than kernels buffer for a connection. Programs that only have
// the package do not make it.
var bulkPayload = sync.OnceValue(func() string { return strings.Repeat("0123456789abcdef", 512<<10) })

// Each client reads only once the application has sent, or waits.
var bulkCases = []testCase{
	{
		name:   "http/120 a payload's memory is the application's again",
		clause: "http.response.body: what the application changes when a payload's lifetime is over does not change the response",
		link:   specBody,
		run: func(s *session) {
			steps := append([]step{emptyRequest(), send(start(200)), signal("sending")}, lend(bulkPayload(), func(p []byte, l asgi.Lifetime) asgi.SendEvent {
				return &asgi.HTTPResponseBody{Body: p, MoreBody: true, Lifetime: l}
			})...)
			s.serve(on("/", append(steps, send(last("end")))...))
			w := s.dial()
			w.request("GET /")
			s.wait("sending")
			w.response("GET").is(200, bulkPayload()+bulkPayload()+bulkPayload()+"end")
		},
	},
	{
		name:   "http/121 the last payload of a response, and the next request",
		clause: "http.disconnect: a complete response may still be on its way; its payload stays as it is",
		link:   specBody,
		run: func(s *session) {
			whole := func(path string, l asgi.Lifetime) script {
				return on(path, emptyRequest(), send(start(200)), signal("sending "+path), lendStep{bulkPayload(),
					func(p []byte, l asgi.Lifetime) asgi.SendEvent { return &asgi.HTTPResponseBody{Body: p, Lifetime: l} }, l})
			}
			s.serve(whole("/during", asgi.DuringSend), whole("/lent", asgi.UntilWritable), whole("/immutable", asgi.Immutable), respond("/next", "next"))
			w := s.dial()
			for _, path := range []string{"/during", "/lent", "/immutable"} {
				w.write(requestHead("GET "+path) + requestHead("GET /next"))
				s.wait("sending " + path)
				w.response("GET").is(200, bulkPayload()).framed("length")
				w.response("GET").is(200, "next")
			}
		},
	},
	{
		name:   "http/122 a client that leaves in the middle of a large payload",
		clause: "http.disconnect: send fails, or the event is delivered, within a moment",
		link:   specDisconnect,
		run: func(s *session) {
			cut := func(path string, l asgi.Lifetime) script {
				return on(path, emptyRequest(), send(start(200)), send(more("begun")), lendStep{bulkPayload(),
					func(p []byte, l asgi.Lifetime) asgi.SendEvent {
						return &asgi.HTTPResponseBody{Body: p, MoreBody: true, Lifetime: l}
					}, l}, disconnected(), signal("gone "+path))
			}
			s.serve(cut("/during", asgi.DuringSend), cut("/lent", asgi.UntilWritable), cut("/immutable", asgi.Immutable))
			for _, path := range []string{"/during", "/lent", "/immutable"} {
				w := s.dial()
				w.request("GET " + path)
				w.head()
				w.abort()
				s.wait("gone " + path)
			}
		},
	},
	{
		name:   "ws/70 a message's memory is the application's again",
		clause: "websocket.send: what the application changes when a payload's lifetime is over does not change the message",
		link:   specWWW + "#send-send-event",
		run: func(s *session) {
			steps := append([]step{connected(), send(accept("")), signal("sending")}, lend(bulkPayload(), func(p []byte, l asgi.Lifetime) asgi.SendEvent {
				return &asgi.WebSocketSend{Kind: asgi.Binary, Data: p, Lifetime: l}
			})...)
			s.serve(on("/", append(steps, send(&asgi.WebSocketClose{}), gone())...))
			w := s.dial()
			w.upgrade("/")
			s.wait("sending")
			for range 3 {
				w.message(opBinary, bulkPayload())
			}
			w.closing(1000, "")
			w.write(closeFrame(1000, ""))
		},
	},
	{
		name:   "ws/71 a large message is whole however it comes",
		clause: "websocket.receive: one event for a message, in frames of any size",
		link:   specWWW + "#receive-receive-event",
		run: func(s *session) {
			message := bulkPayload()[:700_000]
			s.serve(on("/", connected(), send(accept("")), textMessage(message), textMessage("small"), textMessage(message), send(sendText("done")), gone()))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame(message) + textFrame("small"))
			w.write(frame(opText, message[:1]) + frame(0, message[1:300_000]) + frame(fin, message[300_000:]))
			w.message(opText, "done")
		},
	},
}
