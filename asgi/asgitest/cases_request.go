package asgitest

import (
	"context"
	"fmt"
	"strings"

	"github.com/gale-server/gale/asgi"
)

const (
	specRequest    = specWWW + "#request-receive-event"
	specDisconnect = specWWW + "#disconnect-receive-event"
	specGone       = specWWW + "#disconnected-client-send-exception"
)

var requestCases = []testCase{
	{
		name:   "http/20 a request without a body is one empty event",
		clause: "http.request: arrives even when there is no body",
		link:   specRequest,
		run: func(s *session) {
			s.serve(respond("/", "ok", emptyRequest()))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "http/21 a body with a length",
		clause: "body: the request body; more_body: whether there is additional content to come",
		link:   specRequest,
		run: func(s *session) {
			long := strings.Repeat("0123456789", 30_000)
			s.serve(respond("/", "ok", request(long)))
			w := s.dial()
			w.write(requestHead("POST /", "Content-Length: 300000") + long)
			w.response("POST").is(200, "ok")
		},
	},
	{
		name:   "http/22 a chunked body is de-chunked",
		clause: "body: with chunked encoding, the server de-chunks; chunk extensions and trailers are no part of it",
		link:   specRequest,
		run: func(s *session) {
			s.serve(respond("/", "ok", request("hello world")))
			w := s.dial()
			w.write(requestHead("POST /", "Transfer-Encoding: chunked") +
				"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: t\r\n\r\n")
			w.response("POST").is(200, "ok")
		},
	},
	{
		name:   "http/23 a body arrives as it is sent",
		clause: "more_body: the application gets a piece before the next one is there",
		link:   specRequest,
		run: func(s *session) {
			s.serve(respond("/", "ok", requestPart("first,"), signal("first"), request("second")))
			w := s.dial()
			w.write(requestHead("POST /", "Content-Length: 12") + "first,")
			s.wait("first")
			w.write("second")
			w.response("POST").is(200, "ok")
		},
	},
	{
		name:   "http/24 an application may answer before the body has come",
		clause: "the application starts with the head; a body sent later is no part of the answer's condition",
		link:   specHTTPScope,
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(more("early")), request("body"), send(last("late"))))
			w := s.dial()
			w.request("POST /", "Content-Length: 4")
			r := w.head()
			w.nextChunk("early")
			w.write("body")
			w.body("POST", r)
			r.is(200, "late")
		},
	},
	{
		name:   "http/25 disconnect after a complete response",
		clause: "http.disconnect: when receive is called after the response has been sent; the connection itself lives on",
		link:   specDisconnect,
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), send(start(200)), send(last("ok")), disconnected()), respond("/next", "next"))
			w := s.dial()
			w.get("/").is(200, "ok")
			s.wait(endOf("/"))
			w.get("/next").is(200, "next")
		},
	},
	{
		name:   "http/26 disconnect is repeatable",
		clause: "http.disconnect: decision: this and every later receive returns it (the event form gets it once)",
		link:   specDisconnect,
		only:   applicationForms,
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), send(start(200)), send(last("ok")), disconnected(), disconnected(), disconnected()))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "http/27 disconnect of a client that has gone",
		clause: "http.disconnect: sent when a client disconnects, while nothing else is read",
		link:   specDisconnect,
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), signal("waiting"), disconnected()))
			w := s.dial()
			w.request("GET /")
			s.wait("waiting")
			w.abort()
			s.wait(endOf("/"))
		},
	},
	{
		name:   "http/28 disconnect in the middle of a body",
		clause: "http.disconnect: a body that was cut off has no end",
		link:   specDisconnect,
		run: func(s *session) {
			s.serve(on("/", requestPart("half"), signal("half"), disconnected()))
			w := s.dial()
			w.write(requestHead("POST /", "Content-Length: 8") + "half")
			s.wait("half")
			w.abort()
			s.wait(endOf("/"))
		},
	},
	{
		name:   "http/29 a half-close is not a disconnect",
		clause: "decision: a client may end its stream after its request; the response is still delivered (RFC 9112 section 9.5)",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-9.5",
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), send(start(200)), send(more("one")), wait("closed"), send(more("two")),
				wait("two read"), send(last("three"))))
			w := s.dial()
			w.request("GET /")
			r := w.head()
			w.nextChunk("one")
			w.closeWrite()
			s.signal("closed")
			w.nextChunk("two")
			s.signal("two read")
			w.body("GET", r)
			r.is(200, "three")
			w.ends()
		},
	},
	{
		name:   "http/30 cancelled receive loses nothing",
		clause: "receive: decision: a call that was cancelled has taken no event",
		link:   specMain + "#applications",
		only:   applicationForms,
		run: func(s *session) {
			cancelled := callStep(func(c call) error {
				ctx, cancel := context.WithCancel(c.ctx)
				defer cancel()
				reached := c.point("cancel")
				go func() { // ends with the signal, or with the case
					select {
					case <-reached:
					case <-c.session.ctx.Done():
					}
					cancel()
				}()
				c.signal("receiving")
				if _, err := c.receive(ctx); err != context.Canceled {
					return fmt.Errorf("receive returns %v, want context.Canceled", err)
				}
				return nil
			})
			s.serve(respond("/", "ok", requestPart("one"), cancelled, signal("cancelled"), request("two")))
			w := s.dial()
			w.write(requestHead("POST /", "Content-Length: 6") + "one")
			s.wait("receiving")
			s.signal("cancel")
			s.wait("cancelled")
			w.write("two")
			w.response("POST").is(200, "ok")
		},
	},
	{
		name:   "http/31 send fails after a disconnect",
		clause: "send: raises on a closed connection (2.4): ErrDisconnected",
		link:   specGone,
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), signal("waiting"), disconnected(), sendGone(start(200)), sendGone(start(200))))
			w := s.dial()
			w.request("GET /")
			s.wait("waiting")
			w.abort()
			s.wait(endOf("/"))
		},
	},
	{
		name:   "http/32 a suspended send fails upon a disconnect",
		clause: "send: an application that only sends learns that the client has gone",
		link:   specGone,
		run: func(s *session) {
			flood := floodStep{more(strings.Repeat("x", 64<<10)), 100_000, wantGone}
			s.serve(on("/", emptyRequest(), send(start(200)), send(more("x")), flood))
			w := s.dial()
			w.request("GET /")
			w.head()
			w.nextChunk("x")
			w.abort()
			s.wait(endOf("/"))
		},
	},
	{
		name:   "http/33 back-pressure keeps a large response whole",
		clause: "http.response.body: send returns when the data is in the send buffer, which is bounded",
		link:   specWWW + "#response-body-send-event",
		run: func(s *session) {
			const pieces, size = 200, 64 << 10
			flood := floodStep{more(strings.Repeat("x", size)), pieces, func(err error) error { return err }}
			s.serve(on("/", emptyRequest(), send(start(200)), flood, send(last(""))))
			w := s.dial()
			w.request("GET /")
			r := w.response("GET")
			if r.err != nil || len(r.body) != pieces*size || strings.Trim(r.body, "x") != "" {
				s.tb.Errorf("client: %d bytes, %v; want %d", len(r.body), r.err, pieces*size)
			}
		},
	},
	{
		name:   "http/34 100 (Continue) when the application receives",
		clause: "Expect: 100-continue: the client is told to go on when its body is wanted (RFC 9110 section 10.1.1)",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1",
		run: func(s *session) {
			s.serve(respond("/", "ok", request("body")))
			w := s.dial()
			w.request("POST /", "Content-Length: 4", "Expect: 100-continue")
			if r := w.head(); r.status != 100 {
				s.tb.Fatalf("client: status %d, want 100", r.status)
			}
			w.write("body")
			w.response("POST").is(200, "ok")
		},
	},
	{
		name:   "http/35 no 100 (Continue) when the application answers at once",
		clause: "a final status instead of 100 refuses the body; the connection does not go on",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1",
		run: func(s *session) {
			s.serve(on("/", send(start(413)), send(last("too large"))))
			w := s.dial()
			w.request("POST /", "Content-Length: 100000000", "Expect: 100-continue")
			w.response("POST").is(413, "too large").has("connection", "close")
			w.closeWrite()
			w.ends()
		},
	},
	{
		name:   "http/36 no 100 (Continue) while the application waits for something else",
		clause: "the body is asked for by receive, not by the application's mere existence",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1",
		run: func(s *session) {
			s.serve(on("/", signal("started"), wait("decide"), send(start(403)), send(last("no"))))
			w := s.dial()
			w.request("POST /", "Content-Length: 4", "Expect: 100-continue")
			s.wait("started")
			s.signal("decide")
			w.response("POST").is(403, "no")
		},
	},
	{
		name:   "http/37 an unread body is not the next request",
		clause: "an application that does not read: the body is drained or the connection closed, never parsed (RFC 9112 section 9.3)",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-9.3",
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(last("ok"))))
			w := s.dial()
			body := requestHead("GET /smuggled")
			w.write(requestHead("POST /", fmt.Sprint("Content-Length: ", len(body))) + body)
			w.response("POST").is(200, "ok")
			w.closeWrite()
			w.ends()
		},
	},
	{
		name:   "http/38 pipelined requests, one at a time and in order",
		clause: "responses to pipelined requests in the order of the requests (RFC 9112 section 9.3.2)",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2",
		run: func(s *session) {
			answer := func(path string, before ...step) script {
				steps := append([]step{note("open " + path), request("body")}, before...)
				return on(path, append(steps, note("answer "+path), send(start(200)), send(last(path)))...)
			}
			s.serve(answer("/1", signal("asked"), wait("answer")), answer("/2"), answer("/3"))
			w := s.dial()
			var all strings.Builder
			for _, path := range []string{"/1", "/2", "/3"} {
				all.WriteString(requestHead("POST "+path, "Content-Length: 4") + "body")
			}
			w.write(all.String())
			s.wait("asked")
			s.noted("open /1")
			s.signal("answer")
			for _, path := range []string{"/1", "/2", "/3"} {
				w.response("POST").is(200, path)
			}
			s.noted("open /1", "answer /1", "open /2", "answer /2", "open /3", "answer /3")
		},
	},
	{
		name:   "http/39 nothing follows the body but the disconnect",
		clause: "receive: after more_body was false it blocks until the client has gone or the response is complete",
		link:   specDisconnect,
		run: func(s *session) {
			one := func(path string) script {
				return on(path, request("body"), signal(path+" read"), wait(path+" answer"), send(start(200)), send(last("ok")), disconnected())
			}
			s.serve(one("/length"), one("/chunked"))
			w := s.dial()
			for path, body := range map[string]string{
				"/length":  requestHead("POST /length", "Content-Length: 4") + "body",
				"/chunked": requestHead("POST /chunked", "Transfer-Encoding: chunked") + "4\r\nbody\r\n0\r\n\r\n",
			} {
				w.write(body)
				s.wait(path + " read")
				s.signal(path + " answer")
				w.response("POST").is(200, "ok")
			}
		},
	},
	{
		name:   "http/40 events of the wrong kind are no part of an exchange",
		clause: "send: a message of an unknown type is an error out of send",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(respond("/", "ok", sendOutOfOrder(&asgi.WebSocketAccept{}), sendOutOfOrder(sendText("x")),
				sendOutOfOrder(&asgi.LifespanStartupComplete{})))
			s.dial().get("/").is(200, "ok")
		},
	},
}
