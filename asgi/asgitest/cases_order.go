package asgitest

import (
	"fmt"

	"github.com/gale-server/gale/asgi"
)

// answered receives a text and sends it back.
func answered(text string) []step {
	return []step{textMessage(text), send(sendText(text))}
}

// echo answers two messages and then expects the end.
func echo(end step) []step {
	return accepted(append(append(answered("one"), answered("two")...), end)...)
}

// orderCases are about what the peer says behind a message: it overtakes no
// answer.
var orderCases = []testCase{
	{
		name:   "ws/60 what came before the close is answered before it",
		clause: "an endpoint may delay its close until what it has to send is sent (RFC 6455 section 5.5.1): a close overtakes no answer",
		link:   "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1",
		run: func(s *session) {
			s.serve(on("/", echo(closed(1000, "bye"))...))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame("one") + textFrame("two") + closeFrame(1000, "bye"))
			w.message(opText, "one")
			w.message(opText, "two")
			w.closing(1000, "")
			w.ends()
		},
	},
	{
		name:   "ws/61 what came before a protocol error is answered before it",
		clause: "messages that are in order are delivered and answered before the connection fails (RFC 6455 section 7.1.7)",
		link:   rfcClosing,
		run: func(s *session) {
			broken := map[string]struct {
				frame string
				code  int
			}{
				"/unmasked": {"\x81\x01x", 1002},
				"/utf8":     {textFrame("\xff"), 1007},
				"/large":    {"\x82\xff\x00\x00\x01\x00\x00\x00\x00\x00mask", 1009},
			}
			var scripts []script
			for path := range broken {
				scripts = append(scripts, on(path, echo(gone())...))
			}
			s.serve(scripts...)
			for path, b := range broken {
				w := s.dial()
				w.upgrade(path)
				w.write(textFrame("one") + textFrame("two") + b.frame)
				w.message(opText, "one")
				w.message(opText, "two")
				if code, _ := w.closeFrame(); code != b.code {
					s.tb.Errorf("client: %s: close frame %d, want %d", path, code, b.code)
				}
				w.ends()
			}
		},
	},
	{
		name:   "ws/62 what came before the end of the stream is answered before it",
		clause: "decision: a peer that has ended its stream may still read: what it has sent is answered; then it is gone: 1006",
		link:   specWSDisconnect,
		run: func(s *session) {
			s.serve(on("/", echo(closed(1006, ""))...), on("/close", echo(closed(1001, ""))...))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame("one") + textFrame("two"))
			w.closeWrite()
			w.message(opText, "one")
			w.message(opText, "two")
			w.ends()
			w = s.dial()
			w.upgrade("/close")
			w.write(textFrame("one") + textFrame("two") + closeFrame(1001, ""))
			w.closeWrite()
			w.message(opText, "one")
			w.message(opText, "two")
			w.closing(1001, "")
			w.ends()
		},
	},
	{
		name:   "ws/63 a slow answer is waited for",
		clause: "an application that works on a message off the loop has not lost it to the close behind it",
		link:   "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1",
		only:   []string{formGoroutine, formSerial},
		run: func(s *session) {
			s.serve(on("/", accepted(textMessage("one"), signal("taken"), wait("go on"),
				send(sendText("one")), closed(1000, ""))...))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame("one"))
			s.wait("taken")
			w.write(closeFrame(1000, "") + frame(fin|opPing, "after the close: ignored"))
			s.signal("go on")
			w.message(opText, "one")
			w.closing(1000, "")
			w.ends()
		},
	},
	{
		name:   "ws/64 the application closes behind the peer",
		clause: "one close frame is sent, of whoever comes first",
		link:   rfcClosing,
		run: func(s *session) {
			s.serve(on("/", accepted(append(answered("one"), send(closing(4000, "mine")), gone())...)...))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame("one") + closeFrame(1000, ""))
			w.message(opText, "one")
			w.closing(4000, "mine")
			w.ends()
		},
	},
	{
		name:   "ws/65 the end of the stream is no secret meanwhile",
		clause: "decision: the context is cancelled at once, as the peer may be gone; what is sent is still taken",
		link:   specWSDisconnect,
		only:   []string{formGoroutine},
		run: func(s *session) {
			cancelled := callStep(func(c call) error {
				select {
				case <-c.ctx.Done():
					return nil
				case <-c.session.ctx.Done():
					return c.session.ctx.Err()
				}
			})
			s.serve(on("/", accepted(textMessage("one"), cancelled, send(sendText("one")), closed(1006, ""), sendGone(sendText("late")))...))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame("one"))
			w.closeWrite()
			w.message(opText, "one")
			w.ends()
		},
	},
	{
		name:   "http/94 what came before an error is answered before it",
		clause: "requests are answered in their order, also one that is malformed (RFC 9112 section 9.3.2)",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2",
		run: func(s *session) {
			s.serve(respond("/1", "one", emptyRequest()), respond("/2", "two", emptyRequest()))
			w := s.dial()
			w.write(requestHead("GET /1") + requestHead("GET /2") + "GET\r\n\r\n")
			w.response("GET").is(200, "one")
			w.response("GET").is(200, "two")
			w.response("GET").hasStatus(400)
			w.ends()
		},
	},
	{
		name:   "http/95 no event is sent",
		clause: "decision: nil, and a nil pointer, are refused at any time; the exchange is as it was",
		link:   specMain + "#applications",
		run: func(s *session) {
			nothing := sendNothing((*asgi.HTTPResponseStart)(nil), (*asgi.HTTPResponseBody)(nil), (*asgi.HTTPEarlyHint)(nil))
			steps := append(nothing, send(start(200)))
			steps = append(steps, nothing...)
			steps = append(steps, send(last("ok")))
			s.serve(on("/", append(steps, nothing...)...))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "ws/66 no event is sent",
		clause: "decision: nil, and a nil pointer, are refused at any time; the exchange is as it was",
		link:   specMain + "#applications",
		run: func(s *session) {
			nothing := sendNothing((*asgi.WebSocketAccept)(nil), (*asgi.WebSocketSend)(nil), (*asgi.WebSocketClose)(nil), (*asgi.WebSocketDenialBody)(nil))
			steps := append([]step{connected()}, nothing...)
			steps = append(steps, send(&asgi.WebSocketAccept{}))
			steps = append(steps, nothing...)
			steps = append(steps, send(closing(1000, "")))
			s.serve(on("/", append(steps, nothing...)...))
			w := s.dial()
			w.upgrade("/")
			w.closing(1000, "")
		},
	},
	{
		name:   "http/96 exits",
		clause: "runtime.Goexit, as of a test's FailNow, costs one exchange, as a panic does, and never a loop",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/", exit()), on("/request", emptyRequest(), exit()), on("/start", send(start(200)), exit()),
				on("/half", send(start(200)), send(more("half")), exit()), respond("/next", "next", emptyRequest()))
			other := s.dial()
			other.get("/next").is(200, "next")
			s.dial().get("/").hasStatus(500)
			s.dial().get("/request").hasStatus(500)
			s.dial().get("/start").hasStatus(500)
			w := s.dial()
			w.get("/half").truncated()
			w.ends()
			other.get("/next").is(200, "next")
			s.dial().get("/next").is(200, "next")
		},
	},
	{
		name:   "ws/67 exits",
		clause: "runtime.Goexit, as of a test's FailNow, costs one exchange, as a panic does, and never a loop",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/", connected(), exit()), on("/message", accepted(textMessage("x"), exit())...),
				on("/close", accepted(gone(), exit())...), on("/next", echo(gone())...))
			other := s.dial()
			other.upgrade("/next")
			w := s.dial()
			w.write(handshake("/"))
			w.response("GET").hasStatus(500)
			w = s.dial()
			w.upgrade("/message")
			w.write(textFrame("x"))
			w.closing(1011, "")
			w.write(closeFrame(1011, ""))
			w.ends()
			w = s.dial()
			w.upgrade("/close")
			w.leave()
			other.write(textFrame("one") + textFrame("two"))
			other.message(opText, "one")
			other.message(opText, "two")
			other.leave()
		},
	},
	{
		name:   "http/97 raises what blames the client",
		clause: "decision: an error with a status of 4xx is answered with its text, but not with what it is wrapped in",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-15.5",
		run: func(s *session) {
			blame := endStep{err: fmt.Errorf("secret: %w", errTooMuch{})}
			s.serve(on("/", emptyRequest(), blame), on("/ws", connected(), blame))
			s.dial().get("/").is(413, "asgitest: too much\n")
			w := s.dial()
			w.write(handshake("/ws"))
			w.response("GET").is(413, "asgitest: too much\n")
		},
	},
}

// errTooMuch blames the client.
type errTooMuch struct{}

func (errTooMuch) Error() string   { return "asgitest: too much" }
func (errTooMuch) HTTPStatus() int { return 413 }
