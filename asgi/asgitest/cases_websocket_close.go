package asgitest

import (
	"fmt"
	"strings"

	"github.com/gale-server/gale/asgi"
)

const (
	specWSDisconnect = specWWW + "#disconnect-receive-event-ws"
	specWSClose      = specWWW + "#close-send-event"
	rfcClosing       = "https://www.rfc-editor.org/rfc/rfc6455#section-7"
)

func closing(code int, reason string) *asgi.WebSocketClose {
	return &asgi.WebSocketClose{Code: code, Reason: reason}
}

var webSocketCloseCases = []testCase{
	{
		name:   "ws/40 the peer's code and reason",
		clause: "websocket.disconnect: code and reason (2.5) of the peer's close frame; it is answered with the same code",
		link:   specWSDisconnect,
		run: func(s *session) {
			s.serve(on("/", accepted(closed(3999, "früh"))...))
			w := s.dial()
			w.upgrade("/")
			w.write(closeFrame(3999, "früh"))
			if code, _ := w.closeFrame(); code != 3999 {
				s.tb.Errorf("client: close frame %d", code)
			}
			w.ends()
		},
	},
	{
		name:   "ws/41 a close frame without a code",
		clause: "websocket.disconnect: code 1005 if there was none",
		link:   specWSDisconnect,
		run: func(s *session) {
			s.serve(on("/", accepted(closed(1005, ""))...))
			w := s.dial()
			w.upgrade("/")
			w.write(frame(fin|opClose, ""))
			w.closing(1005, "")
			w.ends()
		},
	},
	{
		name:   "ws/42 no close frame",
		clause: "websocket.disconnect: code 1006 if the connection is lost",
		link:   specWSDisconnect,
		run: func(s *session) {
			s.serve(on("/reset", accepted(signal("reset"), closed(1006, ""))...),
				on("/fin", accepted(signal("fin"), closed(1006, ""))...))
			w := s.dial()
			w.upgrade("/reset")
			s.wait("reset")
			w.abort()
			s.wait(endOf("/reset"))
			w = s.dial()
			w.upgrade("/fin")
			s.wait("fin")
			w.conn.Close()
			s.wait(endOf("/fin"))
		},
	},
	{
		name:   "ws/43 the client leaves before accept",
		clause: "websocket.disconnect: 1006, also during the handshake",
		link:   specWSDisconnect,
		run: func(s *session) {
			s.serve(on("/", connected(), signal("connected"), closed(1006, ""), sendGone(accept(""))))
			w := s.dial()
			w.write(handshake("/"))
			s.wait("connected")
			w.abort()
			s.wait(endOf("/"))
		},
	},
	{
		name:   "ws/44 messages before the close are received before the disconnect",
		clause: "websocket.disconnect: the last event",
		link:   specWSDisconnect,
		run: func(s *session) {
			s.serve(on("/", accepted(textMessage("one"), textMessage("two"), closed(1000, "bye"))...))
			w := s.dial()
			w.upgrade("/")
			w.write(textFrame("one") + textFrame("two") + closeFrame(1000, "bye") + textFrame("ignored"))
			w.closeFrame()
			w.ends()
		},
	},
	{
		name:   "ws/45 disconnect is repeatable",
		clause: "websocket.disconnect: this and every later receive returns it (the event form gets it once)",
		link:   specWSDisconnect,
		only:   applicationForms,
		run: func(s *session) {
			s.serve(on("/", accepted(closed(1001, ""), closed(1001, ""), closed(1001, ""))...))
			w := s.dial()
			w.upgrade("/")
			w.write(closeFrame(1001, ""))
			w.closing(1001, "")
		},
	},
	{
		name:   "ws/46 send fails after a disconnect",
		clause: "send: raises on a closed connection (2.4): ErrDisconnected",
		link:   specGone,
		run: func(s *session) {
			s.serve(on("/", accepted(gone(), sendGone(sendText("late")), sendGone(closing(1000, "")))...))
			w := s.dial()
			w.upgrade("/")
			w.leave()
		},
	},
	{
		name:   "ws/47 a suspended send fails upon a disconnect",
		clause: "send: an application that only sends learns that the client has gone",
		link:   specGone,
		run: func(s *session) {
			flood := floodStep{sendBinary(strings.Repeat("x", 64<<10)), 100_000, wantGone}
			s.serve(on("/", accepted(flood)...))
			w := s.dial()
			w.upgrade("/")
			w.readFrame()
			w.abort()
			s.wait(endOf("/"))
		},
	},
	{
		name:   "ws/48 the application closes",
		clause: "websocket.close: code and reason (2.3) are in the close frame; the disconnect has what the peer answers",
		link:   specWSClose,
		run: func(s *session) {
			s.serve(on("/", accepted(send(closing(4001, "enough")), closed(4001, "so be it"))...))
			w := s.dial()
			w.upgrade("/")
			w.closing(4001, "enough")
			w.write(closeFrame(4001, "so be it"))
			w.ends()
		},
	},
	{
		name:   "ws/49 close without a code is 1000",
		clause: "websocket.close: code defaults to 1000, reason to the empty string",
		link:   specWSClose,
		run: func(s *session) {
			s.serve(on("/", accepted(send(closing(0, "")), closed(1000, ""))...))
			w := s.dial()
			w.upgrade("/")
			w.closing(1000, "")
			w.write(closeFrame(1000, ""))
			w.ends()
		},
	},
	{
		name:   "ws/50 a long reason is cut at a rune boundary",
		clause: "a control frame has at most 125 bytes, a reason 123, all of it UTF-8 (RFC 6455 section 5.5)",
		link:   "https://www.rfc-editor.org/rfc/rfc6455#section-5.5",
		run: func(s *session) {
			s.serve(on("/", accepted(send(closing(1000, strings.Repeat("é", 100))), gone())...))
			w := s.dial()
			w.upgrade("/")
			w.closing(1000, strings.Repeat("é", 61))
			w.write(closeFrame(1000, ""))
			w.ends()
		},
	},
	{
		name:   "ws/51 codes that must not be on the wire",
		clause: "1005, 1006 and 1015, and what is no code at all, are an error of the application (RFC 6455 section 7.4)",
		link:   "https://www.rfc-editor.org/rfc/rfc6455#section-7.4",
		run: func(s *session) {
			codes := []int{1, 999, 1004, 1006, 1015, 2000, 5000}
			var scripts []script
			for _, code := range codes {
				scripts = append(scripts, on(fmt.Sprint("/", code), accepted(sendMalformed(closing(code, "")), raise())...))
			}
			s.serve(scripts...)
			for _, code := range codes {
				w := s.dial()
				w.upgrade(fmt.Sprint("/", code))
				w.closing(1011, "")
			}
		},
	},
	{
		name:   "ws/52 events after close are ignored",
		clause: "after close no message is sent; send is a no-op",
		link:   specWSClose,
		run: func(s *session) {
			s.serve(on("/", accepted(send(closing(1000, "")), send(sendText("late")), send(closing(1001, "")), gone())...))
			w := s.dial()
			w.upgrade("/")
			w.closing(1000, "")
			w.write(closeFrame(1000, ""))
			w.ends()
		},
	},
	{
		name:   "ws/53 the application dies",
		clause: "an application that raises after accept: 1011",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/raise", accepted(raise())...), on("/panic", accepted(textMessage("x"), die())...))
			w := s.dial()
			w.upgrade("/raise")
			w.closing(1011, "")
			w.write(closeFrame(1011, ""))
			w.ends()
			w = s.dial()
			w.upgrade("/panic")
			w.write(textFrame("x"))
			w.closing(1011, "")
		},
	},
	{
		name:   "ws/54 the application returns",
		clause: "an application that returns without closing: 1000",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			s.serve(on("/", accepted(send(sendText("last words")))...))
			w := s.dial()
			w.upgrade("/")
			w.message(opText, "last words")
			w.closing(1000, "")
			w.write(closeFrame(1000, ""))
			w.ends()
		},
	},
	{
		name:   "ws/55 the peer breaks the protocol",
		clause: "the connection fails with 1002, 1007 or 1009; the application gets a disconnect (RFC 6455 section 7.1.7)",
		link:   rfcClosing,
		run: func(s *session) {
			broken := map[string]struct {
				frame string
				code  int
			}{
				"/unmasked": {"\x81\x01x", 1002},
				"/opcode":   {frame(fin|0x3, "x"), 1002},
				"/rsv":      {frame(fin|0x40|opText, "x"), 1002},
				"/utf8":     {textFrame("\xff"), 1007},
				"/code":     {closeFrame(1006, ""), 1002},
				"/large":    {"\x82\xff\x00\x00\x01\x00\x00\x00\x00\x00mask", 1009},
			}
			var scripts []script
			for path := range broken {
				scripts = append(scripts, on(path, accepted(gone())...))
			}
			s.serve(scripts...)
			for path, b := range broken {
				w := s.dial()
				w.upgrade(path)
				w.write(b.frame)
				if code, _ := w.closeFrame(); code != b.code {
					s.tb.Errorf("client: %s: close frame %d, want %d", path, code, b.code)
				}
				w.ends()
			}
		},
	},
	{
		name:   "ws/56 drain is announced, then 1012",
		clause: "decision: gale.drain in extensions; WebSockets are closed with 1012 (or 1001) when the server stops",
		link:   rfcClosing,
		waits:  true,
		run: func(s *session) {
			s.serve(on("/", accepted(signal("open"), one[*asgi.Drain](nil), send(sendText("soon")), gone())...))
			w := s.dial()
			w.upgrade("/")
			s.wait("open")
			stopped := make(chan error, 1)
			s.stopped = true
			go func() { stopped <- s.server.Stop() }()
			w.message(opText, "soon")
			code, _ := w.closeFrame()
			if code != 1012 && code != 1001 {
				s.tb.Errorf("client: close frame %d", code)
			}
			w.write(closeFrame(code, ""))
			w.ends()
			if err := <-stopped; err != nil {
				s.tb.Errorf("the engine stops with: %v", err)
			}
		},
	},
	{
		name:   "ws/57 every code that may be on the wire",
		clause: "1000-1003, 1007-1014 and 3000-4999 (RFC 6455 section 7.4.2, IANA's registry); every other fails with 1002",
		link:   "https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number",
		only:   eventForm,
		run: func(s *session) {
			legal := []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999}
			illegal := []int{0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}
			var scripts []script
			for _, code := range legal {
				scripts = append(scripts, on(fmt.Sprint("/", code), accepted(closed(code, "why"))...))
			}
			for _, code := range illegal {
				scripts = append(scripts, on(fmt.Sprint("/", code), accepted(closedFor(1006))...))
			}
			s.serve(scripts...)
			for i, code := range append(legal, illegal...) {
				w := s.dial()
				w.upgrade(fmt.Sprint("/", code))
				w.write(closeFrame(code, "why"))
				want := code
				if i >= len(legal) {
					want = 1002
				}
				if got, _ := w.closeFrame(); got != want {
					s.tb.Errorf("client: %d is answered with %d, want %d", code, got, want)
				}
				w.ends()
			}
		},
	},
	{
		name:   "ws/58 close frames that are none",
		clause: "a code has two bytes, a reason is UTF-8, a control frame is whole and short (RFC 6455 sections 5.5 and 7.1.6)",
		link:   "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1",
		only:   eventForm,
		run: func(s *session) {
			s.serve(on("/", accepted(closedFor(1006))...))
			for _, c := range []struct {
				name, frame string
				code        int
			}{
				{"one byte", frame(fin|opClose, "x"), 1002},
				{"a reason that is not UTF-8", closeFrame(1000, "\xff"), 1007},
				{"a fragment", frame(opClose, "\x03\xe8"), 1002},
				{"a reserved bit", frame(fin|0x40|opClose, "\x03\xe8"), 1002},
				{"too long", closeFrame(1000, strings.Repeat("x", 124)), 1002},
				{"not masked", "\x88\x02\x03\xe8", 1002},
				{"within a message", frame(opText, "begun") + frame(fin|opPing, "") + closeFrame(1006, ""), 1002},
			} {
				for _, cut := range []int{0, 1, len(c.frame) - 1} {
					w := s.dial()
					w.upgrade("/")
					w.write(c.frame[:cut])
					w.write(c.frame[cut:])
					if got := w.closeCode(); got != c.code {
						s.tb.Errorf("client: %s: close frame %d, want %d", c.name, got, c.code)
					}
					w.ends()
				}
			}
		},
	},
}

// closedFor takes websocket.disconnect with this code and any reason.
func closedFor(code int) step {
	return one(func(e *asgi.WebSocketDisconnect) error { return want("code", e.Code, code) })
}

// closeCode reads up to a close frame, over pongs.
func (w *wire) closeCode() int {
	w.tb.Helper()
	for {
		first, payload := w.readFrame()
		switch {
		case first == fin|opPong:
		case first == fin|opClose && len(payload) >= 2:
			return int(payload[0])<<8 | int(payload[1])
		default:
			w.tb.Fatalf("client: frame %#x with %s in place of a close frame", first, abbreviate([]byte(payload)))
		}
	}
}
