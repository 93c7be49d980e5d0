package websocket

import "github.com/gale-server/gale/asgi/internal/autobahn"

// The client of the tests, under short names.
type (
	sent  = autobahn.Frame
	reply = autobahn.Reply
)

var (
	text       = autobahn.Text
	binaryOf   = autobahn.Binary
	ping       = autobahn.Ping
	pong       = autobahn.Pong
	first      = autobahn.First
	last       = autobahn.Last
	closing    = autobahn.Closing
	stream     = autobahn.Stream
	replies    = autobahn.Replies
	closeReply = autobahn.CloseReply
	repeat     = autobahn.Repeat
)

func answer(op Opcode, payload string) reply { return reply{Op: byte(op), Payload: payload} }

func fragments(op Opcode, payload string, size int) []sent {
	return autobahn.Fragments(byte(op), payload, size)
}
