package asgitest

const (
	specStart   = specWWW + "#response-start-send-event"
	specBody    = specWWW + "#response-body-send-event"
	rfcFraming  = "https://www.rfc-editor.org/rfc/rfc9112#section-6.3"
	rfcLength   = "https://www.rfc-editor.org/rfc/rfc9110#section-8.6"
	rfcPersist  = "https://www.rfc-editor.org/rfc/rfc9112#section-9.3"
	rfcTruncate = "https://www.rfc-editor.org/rfc/rfc9112#section-8"
)

var responseCases = []testCase{
	{
		name:   "http/50 response start is held until the first body",
		clause: "http.response.start: the server need not send it before the body, so that a failure can still be answered for",
		link:   specStart,
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), send(start(201, "x-lost: yes")), raise()))
			s.dial().get("/").hasStatus(500).has("x-lost")
		},
	},
	{
		name:   "http/51 response start goes out with the first body, even an empty one",
		clause: "http.response.body: the server flushes what it has",
		link:   specBody,
		run: func(s *session) {
			s.serve(on("/", emptyRequest(), send(start(200)), send(more("")), wait("head read"), send(last("ok"))))
			w := s.dial()
			w.request("GET /")
			r := w.head()
			s.signal("head read")
			w.body("GET", r)
			r.is(200, "ok")
		},
	},
	{
		name:   "http/52 Content-Length for a body complete in one event",
		clause: "a body whose length is known needs no chunks",
		link:   rfcLength,
		run: func(s *session) {
			s.serve(respond("/", "hello"), respond("/empty", ""))
			w := s.dial()
			w.get("/").is(200, "hello").framed("length").has("content-length", "5")
			w.get("/empty").is(200, "").framed("length").has("content-length", "0")
		},
	},
	{
		name:   "http/53 chunked for a body in pieces",
		clause: "more_body: without a Content-Length the body is chunked; an empty piece is not the last chunk",
		link:   rfcFraming,
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(more("a")), send(more("")), send(more("bc")), send(last("d"))),
				on("/empty end", send(start(200)), send(more("a")), send(last(""))))
			w := s.dial()
			w.get("/").is(200, "abcd").framed("chunked").has("content-length")
			w.get("/empty%20end").is(200, "a").framed("chunked")
		},
	},
	{
		name:   "http/54 pieces are sent as they come",
		clause: "http.response.body: data is flushed before more is asked for",
		link:   specBody,
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(more("one")), wait("one read"), send(more("two")), wait("two read"), send(last("three"))))
			w := s.dial()
			w.request("GET /")
			r := w.head()
			w.nextChunk("one")
			s.signal("one read")
			w.nextChunk("two")
			s.signal("two read")
			w.body("GET", r)
			r.is(200, "three")
		},
	},
	{
		name:   "http/55 the application's Content-Length",
		clause: "headers: Content-Length given means that many bytes, unframed",
		link:   rfcLength,
		run: func(s *session) {
			s.serve(on("/", send(start(200, "content-length: 4")), send(more("ab")), send(last("cd"))), respond("/next", "next"))
			w := s.dial()
			w.get("/").is(200, "abcd").framed("length").has("content-length", "4")
			w.get("/next").is(200, "next")
		},
	},
	{
		name:   "http/56 more body than Content-Length",
		clause: "too many bytes are an error of the application and never reach the next response",
		link:   rfcLength,
		run: func(s *session) {
			s.serve(on("/", send(start(200, "content-length: 4")), send(more("ab")), sendMalformed(last("cdef")), raise()))
			w := s.dial()
			w.get("/").truncated()
			w.ends()
		},
	},
	{
		name:   "http/57 less body than Content-Length",
		clause: "too few bytes are an error of the application, and the client sees that the body is short",
		link:   rfcTruncate,
		run: func(s *session) {
			s.serve(on("/", send(start(200, "content-length: 4")), send(more("ab")), sendMalformed(last("c")), raise()))
			w := s.dial()
			w.get("/").truncated()
			w.ends()
		},
	},
	{
		name:   "http/58 HTTP 1.0 gets no chunks",
		clause: "HTTP/1.0: the end of the connection is the end of the body (RFC 9112 section 6.1)",
		link:   rfcFraming,
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(more("ab")), send(last("cd"))))
			w := s.dial()
			w.write("GET / HTTP/1.0\r\n\r\n")
			w.response("GET").is(200, "abcd").framed("close")
		},
	},
	{
		name:   "http/59 HTTP 1.0 with keep-alive",
		clause: "HTTP/1.0 persists only when asked to, and when the length is known; it closes otherwise (RFC 9112 section 9.3)",
		link:   rfcPersist,
		run: func(s *session) {
			s.serve(respond("/", "ok"), respond("/next", "next"))
			w := s.dial()
			w.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
			w.response("GET").is(200, "ok").framed("length").has("connection", "keep-alive")
			w.write("GET /next HTTP/1.0\r\n\r\n")
			w.response("GET").is(200, "next")
			w.ends()
		},
	},
	{
		name:   "http/60 HEAD has headers and no body",
		clause: "HEAD: the headers a GET would have, Content-Length too; body events are accepted and dropped (RFC 9110 section 9.3.2)",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2",
		run: func(s *session) {
			s.serve(on("/", send(start(200, "content-length: 5")), send(more("he")), send(last("llo"))),
				on("/pieces", send(start(200)), send(more("he")), send(last("llo"))),
				respond("/one", "hello"), respond("/next", "next"))
			w := s.dial()
			w.request("HEAD /")
			w.response("HEAD").is(200, "").has("content-length", "5")
			w.request("HEAD /pieces")
			w.response("HEAD").is(200, "").has("content-length")
			w.request("HEAD /one")
			w.response("HEAD").is(200, "").has("content-length", "5")
			w.get("/next").is(200, "next")
		},
	},
	{
		name:   "http/61 204 and 304 have no body",
		clause: "204: no body and no Content-Length; 304: no body (RFC 9110 section 8.6, RFC 9112 section 6.3)",
		link:   rfcFraming,
		run: func(s *session) {
			s.serve(on("/204", send(start(204)), send(last(""))),
				on("/304", send(start(304, "etag: \"x\"")), send(last(""))), respond("/next", "next"))
			w := s.dial()
			w.get("/204").is(204, "").has("content-length").has("transfer-encoding")
			w.get("/304").is(304, "").has("transfer-encoding").has("etag", `"x"`)
			w.get("/next").is(200, "next")
		},
	},
	{
		name:   "http/62 the application's Transfer-Encoding is ignored",
		clause: "headers: a Transfer-Encoding of the application must be ignored; framing is the server's",
		link:   specStart,
		run: func(s *session) {
			s.serve(on("/", send(start(200, "transfer-encoding: chunked")), send(last("hello"))),
				on("/pieces", send(start(200, "Transfer-Encoding: gzip, chunked")), send(more("hel")), send(last("lo"))))
			w := s.dial()
			w.get("/").is(200, "hello").framed("length")
			w.get("/pieces").is(200, "hello").framed("chunked").has("transfer-encoding", "chunked")
		},
	},
	{
		name:   "http/63 header repetition is kept",
		clause: "headers: an iterable of pairs; a name may repeat, and its order is kept; values are raw octets",
		link:   specStart,
		run: func(s *session) {
			s.serve(on("/", send(start(200, "set-cookie: a=1", "x-other: \xe9", "set-cookie: b=2")), send(last(""))))
			s.dial().get("/").is(200, "").has("set-cookie", "a=1", "b=2").has("x-other", "\xe9")
		},
	},
	{
		name:   "http/64 Date is added, the application's own wins",
		clause: "an origin server with a clock sends Date (RFC 9110 section 6.6.1)",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1",
		run: func(s *session) {
			const own = "Sun, 06 Nov 1994 08:49:37 GMT"
			s.serve(respond("/", ""), on("/own", send(start(200, "Date: "+own, "Server: mine")), send(last(""))))
			w := s.dial()
			if r := w.get("/"); len(valuesOf(r.headers, "date")) != 1 {
				s.tb.Errorf("client: Date is %q", valuesOf(r.headers, "date"))
			}
			w.get("/own").has("date", own).has("server", "mine")
		},
	},
	{
		name:   "http/65 the application's Connection: close is honoured",
		clause: "headers: close is announced and kept to (RFC 9112 section 9.6)",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-9.6",
		run: func(s *session) {
			s.serve(on("/", send(start(200, "connection: close")), send(last("bye"))))
			w := s.dial()
			w.write(requestHead("GET /") + requestHead("GET /never"))
			w.response("GET").is(200, "bye").has("connection", "close")
			w.ends()
		},
	},
	{
		name:   "http/66 the client's Connection: close is honoured",
		clause: "a server that gets close answers and closes (RFC 9112 section 9.6)",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-9.6",
		run: func(s *session) {
			s.serve(respond("/", "bye"))
			w := s.dial()
			w.get("/", "Connection: close").is(200, "bye").has("connection", "close")
			w.ends()
		},
	},
	{
		name:   "http/67 a connection serves one request after the other",
		clause: "HTTP/1.1 connections persist (RFC 9112 section 9.3)",
		link:   rfcPersist,
		run: func(s *session) {
			s.serve(respond("/", "ok", emptyRequest()), respond("/body", "ok", request("body")))
			w := s.dial()
			for range 3 {
				w.get("/").is(200, "ok")
				w.write(requestHead("POST /body", "Transfer-Encoding: chunked") + "4\r\nbody\r\n0\r\n\r\n")
				w.response("POST").is(200, "ok")
			}
		},
	},
	{
		name:   "http/68 a malformed header is an error, nothing of it is sent",
		clause: "send: an event that cannot be sent is an error out of send (RFC 9112 section 11.1)",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/value", sendMalformed(start(200, "x-a: b\r\nx-injected: yes")), raise()),
				on("/name", sendMalformed(start(200, "x a: b")), raise()),
				on("/null", sendMalformed(start(200, "x-a: \x00")), raise()))
			for _, path := range []string{"/value", "/name", "/null"} {
				s.dial().get(path).hasStatus(500).has("x-injected").has("x-a").has("x a")
			}
		},
	},
	{
		name:   "http/69 a status that is none",
		clause: "status: an HTTP status code; 1xx is not a final one",
		link:   specStart,
		run: func(s *session) {
			s.serve(on("/0", sendMalformed(start(0)), raise()), on("/100", sendMalformed(start(100)), raise()),
				on("/1000", sendMalformed(start(1000)), raise()), on("/418", send(start(418)), send(last("tea"))))
			for _, path := range []string{"/0", "/100", "/1000"} {
				s.dial().get(path).hasStatus(500)
			}
			s.dial().get("/418").is(418, "tea")
		},
	},
	{
		name:   "http/70 after a refused event another may follow",
		clause: "send: after an error the exchange is as it was (on the loop, where the error is known at once)",
		link:   specMain + "#error-handling",
		only:   []string{formEvent, formCoroutine, formAdapted},
		run: func(s *session) {
			s.serve(on("/", sendMalformed(start(200, "x-a: \n")), send(start(200, "content-length: 2")),
				sendMalformed(last("too long")), sendMalformed(more("too long")), send(last("ok"))))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "http/71 HEAD of every kind of body",
		clause: "HEAD: no Content-Length but that of a GET; a body that is empty or a stream says nothing of it (RFC 9110 section 8.6)",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-8.6",
		run: func(s *session) {
			length := map[string][]string{"/sized": {"5"}, "/zero": {"0"}, "/one": {"5"}}
			scripts := []script{
				respond("/none", ""),
				on("/sized", send(start(200, "content-length: 5")), send(last(""))),
				on("/zero", send(start(200, "content-length: 0")), send(last(""))),
				respond("/one", "hello"),
				on("/stream", send(start(200)), send(more("he")), send(more("")), send(last("llo"))),
				on("/emptystream", send(start(200)), send(more("")), send(last(""))),
			}
			s.serve(append(scripts, respond("/next", "next"))...)
			w := s.dial()
			for _, sc := range scripts {
				w.request("HEAD " + sc.on)
				w.response("HEAD").is(200, "").has("content-length", length[sc.on]...).has("transfer-encoding")
			}
			w.get("/next").is(200, "next")
		},
	},
	{
		name:   "http/72 205 has no content",
		clause: "205: a body of zero length, whatever the application sends is an error (RFC 9110 section 15.3.6)",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-15.3.6",
		run: func(s *session) {
			s.serve(on("/", send(start(205)), send(last(""))), on("/pieces", send(start(205)), send(more("")), send(last(""))),
				on("/body", send(start(205)), sendMalformed(last("x")), raise()))
			w := s.dial()
			w.get("/").is(205, "").has("content-length", "0")
			w.get("/pieces").is(205, "").has("content-length", "0")
			w.get("/body").hasStatus(500)
		},
	},
}
