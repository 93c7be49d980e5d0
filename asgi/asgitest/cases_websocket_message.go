package asgitest

import (
	"fmt"
	"strings"
)

var webSocketMessageCases = []testCase{
	{
		name:   "ws/20 messages sent with the handshake are kept",
		clause: "what a client sends before the 101 is delivered after the accept",
		link:   specWSReceive,
		run: func(s *session) {
			s.serve(on("/", connected(), signal("connected"), wait("decide"), send(accept("")), textMessage("one"), textMessage("two"), gone()))
			w := s.dial()
			w.write(handshake("/") + textFrame("one") + textFrame("two"))
			s.wait("connected")
			s.signal("decide")
			w.switched()
			w.leave()
		},
	},
	{
		name:   "ws/21 text and binary both ways",
		clause: "websocket.receive, websocket.send: exactly one of text and bytes",
		link:   specWSReceive,
		run: func(s *session) {
			s.serve(on("/", accepted(textMessage("héllo"), send(sendText("wörld")), binaryMessage("\x00\xff"), send(sendBinary("\xff\x00")), gone())...))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame("héllo"))
			w.message(opText, "wörld")
			w.write(frame(fin|opBinary, "\x00\xff"))
			w.message(opBinary, "\xff\x00")
			w.leave()
		},
	},
	{
		name:   "ws/22 an empty message is a message",
		clause: "websocket.receive: an empty string is legal, in both kinds and directions",
		link:   specWSReceive,
		run: func(s *session) {
			s.serve(on("/", accepted(textMessage(""), send(sendText("")), binaryMessage(""), send(sendBinary("")), gone())...))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame(""))
			w.message(opText, "")
			w.write(frame(fin|opBinary, ""))
			w.message(opBinary, "")
			w.leave()
		},
	},
	{
		name:   "ws/23 fragments are one message, pings in between",
		clause: "websocket.receive: whole messages; the server answers pings by itself (RFC 6455 sections 5.4 and 5.5)",
		link:   specWSReceive,
		run: func(s *session) {
			s.serve(on("/", accepted(textMessage("one two"), gone())...))
			w := s.dial()
			w.upgrade("/")
			w.write(frame(opText, "one") + frame(fin|opPing, "are you there?") + frame(opContinuation, " ") + frame(fin|opContinuation, "two"))
			if first, payload := w.readFrame(); first != fin|opPong || payload != "are you there?" {
				s.tb.Errorf("client: frame %#x %q in place of the pong", first, payload)
			}
			w.leave()
		},
	},
	{
		name:   "ws/24 large messages both ways",
		clause: "websocket.send: back-pressure, and no message is lost or cut",
		link:   specWSSend,
		run: func(s *session) {
			large := strings.Repeat("0123456789abcdef", 20_000)
			flood := floodStep{sendText(large), 40, func(err error) error { return err }}
			s.serve(on("/", accepted(textMessage(large), flood, send(sendText("end")), gone())...))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame(large))
			for range 40 {
				w.message(opText, large)
			}
			w.message(opText, "end")
			w.leave()
		},
	},
	{
		name:   "ws/25 many messages keep their order",
		clause: "websocket.receive: in the order they were sent, none lost, however fast they come",
		link:   specWSReceive,
		run: func(s *session) {
			const n = 1000
			steps := accepted()
			var all strings.Builder
			for i := range n {
				steps = append(steps, textMessage(fmt.Sprint(i)), send(sendText(fmt.Sprint(i))))
				all.WriteString(textFrame(fmt.Sprint(i)))
			}
			s.serve(on("/", append(steps, gone())...))
			w := s.dial()
			w.upgrade("/")
			w.write(all.String())
			for i := range n {
				w.message(opText, fmt.Sprint(i))
			}
			w.leave()
		},
	},
	{
		name:   "ws/26 text that is not UTF-8 is not sent",
		clause: "websocket.send: text is a string; the wire must carry UTF-8 (RFC 6455 section 5.6)",
		link:   specWSSend,
		run: func(s *session) {
			s.serve(on("/", accepted(sendMalformed(sendText("\xff")), raise())...))
			w := s.dial()
			w.upgrade("/")
			w.closing(1011, "")
		},
	},
}
