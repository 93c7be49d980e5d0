package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// A language is how rooms are spoken of in a WebSocket's text messages.
type language struct {
	subscribes  string // path of the handshake, with "%s" for the room
	publishes   string
	protocol    string // to be negotiated; "" for none
	hello       []phrase
	join        phrase // with "%s" for the room
	publication string // with "%[1]s" for the room, "%[2]s" for the text
	answers     bool
	ping        string // a message that is sent back as it is
}

// phrase is a message, or none, and what its answer contains.
type phrase struct{ say, answer string }

// NewRooms is a medium of WebSockets that get the text of publications as it is.
// A publisher sends the room, a space, and the text. Whoever has subscribed is
// told "subscribed".
func NewRooms() Medium {
	return language{
		subscribes:  "/subscribe?room=%s",
		publishes:   "/publish",
		join:        phrase{"", "subscribed"},
		publication: "%[1]s %[2]s",
	}
}

// NewGaleRooms is a medium of WebSockets that speak gale's protocol for hubs.
func NewGaleRooms() Medium {
	return language{
		subscribes:  "/hub/ws",
		publishes:   "/hub/ws",
		protocol:    "gale.hub.v1",
		hello:       []phrase{{`{"id":1,"connect":{}}`, `"connected"`}},
		join:        phrase{`{"id":2,"subscribe":{"channel":"%s"}}`, `"subscribed"`},
		publication: `{"id":3,"publish":{"channel":"%[1]s","data":%[2]s}}`,
		answers:     true,
	}
}

// NewCentrifugeRooms is a medium of WebSockets that speak centrifuge's protocol
// in its form of JSON.
func NewCentrifugeRooms() Medium {
	return language{
		subscribes:  "/connection/websocket",
		publishes:   "/connection/websocket",
		hello:       []phrase{{`{"id":1,"connect":{}}`, `"connect"`}},
		join:        phrase{`{"id":2,"subscribe":{"channel":"%s"}}`, `"subscribe"`},
		publication: `{"id":3,"publish":{"channel":"%[1]s","data":%[2]s}}`,
		answers:     true,
		ping:        "{}",
	}
}

func (l language) primes() bool { return false }

func (l language) subscribe(c *conn, room string) (receiver, error) {
	t, err := l.connect(c, strings.Replace(l.subscribes, "%s", room, 1))
	if err != nil {
		return nil, err
	}
	join := l.join
	join.say = strings.Replace(join.say, "%s", room, 1)
	return t, t.exchange(c, join)
}

func (l language) publisher(c *conn) (talker, error) { return l.connect(c, l.publishes) }

func (l language) connect(c *conn, path string) (*webSocketTalker, error) {
	handshake := "GET " + path + handshakeFields
	if l.protocol != "" {
		handshake += "Sec-WebSocket-Protocol: " + l.protocol + "\r\n"
	}
	if err := c.shakeHands(handshake + "\r\n"); err != nil {
		return nil, err
	}
	t := &webSocketTalker{language: l}
	for _, p := range l.hello {
		if err := t.exchange(c, p); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// webSocketTalker reads the messages of a WebSocket.
type webSocketTalker struct {
	language
	begun   []byte // of a frame that is not complete
	message []byte // the fragments before the last one
}

func (t *webSocketTalker) exchange(c *conn, p phrase) error {
	var say []byte
	if p.say != "" {
		say = appendFrameOf(nil, opText, frameKey, []byte(p.say))
	}
	answer, err := ask(c, t, say)
	if err == nil && !bytes.Contains(answer, []byte(p.answer)) {
		err = fmt.Errorf("load: %q was answered with %.200q", p.say, answer)
	}
	return err
}

// frameKey masks every frame: see webSocketEcho.batch.
const frameKey = 2654435761

func (t *webSocketTalker) publication(room string, text []byte) []byte {
	return appendFrameOf(nil, opText, frameKey, fmt.Appendf(nil, t.language.publication, room, text))
}

func (t *webSocketTalker) answers() bool { return t.language.answers }

// maxMessage bounds what is kept of what has not come whole.
const maxMessage = 1 << 20

func (t *webSocketTalker) read(p []byte, text func(p []byte) error) (say []byte, err error) {
	if len(t.begun) > 0 {
		t.begun = append(t.begun, p...)
		p = t.begun
	}
	for {
		opcode, final, payload, rest, err := cutFrame(p)
		if err != nil {
			return say, err
		}
		if rest == nil {
			break
		}
		p = rest
		switch opcode {
		case opClose:
			return say, closed(bytes.Clone(payload))
		case opPing:
			say = appendFrameOf(say, opPong, frameKey, payload)
		case opPong:
		default:
			if len(t.message) > 0 || !final {
				t.message = append(t.message, payload...)
				payload = t.message
			}
			if len(t.message) > maxMessage {
				return say, errFrame
			}
			if !final {
				continue
			}
			t.message = t.message[:0]
			if t.ping != "" && string(payload) == t.ping {
				say = appendFrameOf(say, opText, frameKey, payload)
				continue
			}
			if err := text(payload); err != nil {
				return say, err
			}
		}
	}
	if len(p) > maxMessage {
		return say, errFrame
	}
	t.begun = append(t.begun[:0], p...)
	return say, nil
}

// closed is the payload of a server's close frame: RFC 6455, section 5.5.1.
type closed []byte

func (c closed) Error() string { return fmt.Sprintf("%v: %.100q", errClosed, []byte(c)) }
func (c closed) Unwrap() error { return errClosed }

// code is its close code, 0 if it has none.
func (c closed) code() int {
	if len(c) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(c))
}

// cutFrame takes a server's frame from the front of p. rest is nil if it is not
// there whole.
func cutFrame(p []byte) (opcode byte, final bool, payload, rest []byte, err error) {
	if len(p) < 2 {
		return 0, false, nil, nil, nil
	}
	opcode, final = p[0]&opcodeBits, p[0]&finBit != 0
	if p[0]&rsvBits != 0 || p[1]&maskBit != 0 {
		return 0, false, nil, nil, errFrame
	}
	head, length := 2, uint64(p[1]&lengthBits)
	switch {
	case length == length16 && len(p) >= 4:
		head, length = 4, uint64(binary.BigEndian.Uint16(p[2:]))
	case length == length64 && len(p) >= 10:
		head, length = 10, binary.BigEndian.Uint64(p[2:])
	case length >= length16:
		return 0, false, nil, nil, nil
	}
	if uint64(len(p)-head) < length {
		return 0, false, nil, nil, nil
	}
	end := head + int(length)
	return opcode, final, p[head:end], p[end:], nil
}
