package asgitest

import (
	"fmt"

	"github.com/gale-server/gale/asgi"
)

var lifeCycleCases = []testCase{
	{
		name:   "http/80 returns before the response starts",
		clause: "an application that ends without a response is answered for with 500",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/", emptyRequest()), respond("/next", "next"))
			s.dial().get("/").hasStatus(500)
			s.dial().get("/next").is(200, "next")
		},
	},
	{
		name:   "http/81 raises before the response starts",
		clause: "an exception of the application: 500, and the server goes on",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), raise()), respond("/next", "next"))
			s.dial().get("/").hasStatus(500)
			s.dial().get("/next").is(200, "next")
		},
	},
	{
		name:   "http/82 raises before it has read the body",
		clause: "500, and the unread body is never taken for a request",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/", raise()))
			w := s.dial()
			body := requestHead("GET /smuggled")
			w.write(requestHead("POST /", fmt.Sprint("Content-Length: ", len(body))) + body)
			w.response("POST").hasStatus(500)
			w.closeWrite()
			w.ends()
		},
	},
	{
		name:   "http/83 panics",
		clause: "a panic costs one exchange: 500, and the server goes on",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), die()), on("/start", send(start(200)), die()), respond("/next", "next"))
			s.dial().get("/").hasStatus(500)
			s.dial().get("/start").hasStatus(500)
			s.dial().get("/next").is(200, "next")
		},
	},
	{
		name:   "http/84 returns in the middle of the body",
		clause: "decision: a truncated response is never ended cleanly: chunks miss the last one",
		link:   rfcTruncate,
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(more("half"))))
			w := s.dial()
			w.get("/").truncated().framed("chunked")
			w.ends()
		},
	},
	{
		name:   "http/85 raises in the middle of the body",
		clause: "decision: a truncated response is never ended cleanly: a known length is not reached",
		link:   rfcTruncate,
		run: func(s *session) {
			s.serve(on("/", send(start(200, "content-length: 8")), send(more("half")), raise()),
				on("/panic", send(start(200)), send(more("half")), die()))
			w := s.dial()
			w.get("/").truncated().framed("length")
			w.ends()
			w = s.dial()
			w.get("/panic").truncated().framed("chunked")
			w.ends()
		},
	},
	{
		name:   "http/86 truncation without framing is a reset",
		clause: "a body that ends with the connection can only be seen to be truncated by a reset (RFC 9112 section 8)",
		link:   rfcTruncate,
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(more("half")), wait("read"), raise()))
			w := s.dial()
			w.write("GET / HTTP/1.0\r\n\r\n")
			r := w.head()
			s.signal("read")
			w.body("GET", r)
			r.truncated().framed("close")
		},
	},
	{
		name:   "http/87 body before start",
		clause: "send: events out of order raise out of send; the exchange is as it was",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(respond("/", "ok", emptyRequest(), sendOutOfOrder(last("x")), sendOutOfOrder(more("x"))))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "http/88 two starts",
		clause: "send: events out of order raise out of send; the exchange is as it was",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/", send(start(200)), sendOutOfOrder(start(500)), send(more("o")), sendOutOfOrder(start(500)), send(last("k"))))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "http/89 events after completion are ignored",
		clause: "http.response.body: once the response is complete, further messages are ignored",
		link:   specBody,
		run: func(s *session) {
			s.serve(respond("/", "ok"), on("/more", send(start(200)), send(last("ok")), send(last("more")), send(start(500))))
			w := s.dial()
			w.get("/more").is(200, "ok")
			w.get("/").is(200, "ok")
		},
	},
	{
		name:   "http/90 raises after completion",
		clause: "what goes wrong after the response is complete does not reach the client",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(last("ok")), wait("read"), raise()), respond("/next", "next"))
			w := s.dial()
			w.get("/").is(200, "ok")
			s.signal("read")
			s.wait(endOf("/"))
			w.get("/next").is(200, "next")
		},
	},
	{
		name:   "http/91 an application may go on after its response",
		clause: "background work after the response holds up neither the response nor, on another connection, anybody",
		link:   specBody,
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(last("ok")), wait("go on"), disconnectedAfter()), respond("/next", "next"))
			s.dial().get("/").is(200, "ok")
			s.dial().get("/next").is(200, "next")
			s.signal("go on")
			s.wait(endOf("/"))
		},
	},
	{
		name:   "http/92 drain is announced, not disguised",
		clause: "decision: gale.drain in extensions; exchanges under way get the event and come to their end",
		link:   specMain + "#extensions",
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), signal("waiting"), one[*asgi.Drain](nil), send(start(200)), send(last("done"))))
			w := s.dial()
			w.request("GET /")
			s.wait("waiting")
			stopped := make(chan error, 1)
			s.stopped = true
			go func() { stopped <- s.server.Stop() }()
			w.response("GET").is(200, "done").has("connection", "close")
			w.ends()
			if err := <-stopped; err != nil {
				s.tb.Errorf("the engine stops with: %v", err)
			}
		},
	},
	{
		name:   "http/93 raises what names its response",
		clause: "decision: an error with HTTPStatus and HTTPHeaders, as of a saturated executor, is answered with them",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3",
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), endStep{err: errBusy{}}), on("/ws", connected(), endStep{err: errBusy{}}))
			s.dial().get("/").hasStatus(503).has("retry-after", "7")
			w := s.dial()
			w.write(handshake("/ws"))
			w.response("GET").hasStatus(503).has("retry-after", "7")
		},
	},
}

// errBusy names the response it is answered with.
type errBusy struct{}

func (errBusy) Error() string   { return "asgitest: busy" }
func (errBusy) HTTPStatus() int { return 503 }
func (errBusy) HTTPHeaders() []asgi.Header {
	return []asgi.Header{{Name: "retry-after", Value: "7"}}
}
