// Package websocket is the server side of the WebSocket protocol as a sans-I/O
// machine: bytes in, events out, bytes to write out. It opens no socket, reads
// no clock, starts no goroutine and holds no lock.
//
// A [Machine] is one open connection. The caller gives it what it read and
// acts on the event it gets back; what it wants to say it appends to a buffer
// of its own and writes when it likes:
//
//	var event websocket.Event
//	for len(p) > 0 {
//		if err := m.Next(p, &event); err != nil {
//			return fail(err) // *Error: AppendClose(err.Code, err.Reason), drop the connection
//		}
//		p = p[event.N:]
//		switch event.Kind {
//		case websocket.Message:
//			out, err = m.AppendMessage(out, event.Message, event.Data)
//		case websocket.Ping:
//			out, err = m.AppendPong(out, event.Data)
//		case websocket.Close:
//			out, err = m.AppendClose(out, event.Code, "")
//		}
//	}
//
// Before there is a connection there is a handshake: [IsUpgrade],
// [CheckUpgrade], [CheckOrigin] and [Upgrade.ResponseHeaders] are pure
// functions over the fields of an HTTP request that somebody else parsed.
//
// # What it is not
//
// Not a client, and not a connection: it has no deadlines, sends no ping by
// itself and does not close anything. The caller decides when a silent peer is
// dead, how long it waits for the peer's close, and how much output it lets
// wait for the socket.
//
// # Laws
//
//   - Split invariance: how the stream is cut into calls of Next changes
//     neither the events nor the error, nor the byte at which the error is seen.
//   - Error atomicity: an Append method that returns an error has changed
//     neither dst nor the machine. An [Error] of Next is final: every later
//     Next returns it again.
//   - Drain: Next returns one event at a time and says how many bytes it took;
//     the caller goes on until all bytes are taken. NeedData always takes all.
//   - Bound: a machine buffers at most Config.MaxMessageBytes of one message and
//     125 bytes of one control frame, and nothing between messages. The buffer of a
//     message has room for at most four times what has arrived (or 1 KiB), or for the
//     whole message once an eighth of it has arrived. While a large message moves to
//     a larger buffer it has the smaller one, too.
//
// # Limits the caller must keep
//
// Every ping asks for a pong of the same size. A peer that sends pings and
// reads nothing makes the caller's output grow, so the caller bounds its output
// and stops reading (or drops the peer) when the bound is reached.
//
// # Concurrency
//
// A Machine belongs to one goroutine at a time. A [Config] is only read and may
// be shared by all machines. The functions are safe for concurrent use.
//
// # Terminology
//
// A frame is the wire unit; a message is what the frames of one data message
// carry together; control frames are close, ping and pong. An event is what
// Next returns. The peer is the client; local is this side.
//
// # Specifications
//
//   - RFC 6455, The WebSocket Protocol: https://www.rfc-editor.org/rfc/rfc6455
//   - Close codes: https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
//   - RFC 3629, UTF-8: https://www.rfc-editor.org/rfc/rfc3629
//   - RFC 6454, The Web Origin Concept: https://www.rfc-editor.org/rfc/rfc6454
//   - ASGI, WebSocket: https://asgi.readthedocs.io/en/latest/specs/www.html#websocket
package websocket
