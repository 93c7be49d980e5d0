package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Dialogue is what a conn says and what it must hear. It is shared by all conns
// of a generator.
//
// Not safe for concurrent use.
type Dialogue interface {
	// greet says what precedes the first message, on a conn that blocks.
	greet(c *conn) error
	// batch returns n messages as they are sent.
	batch(n int) []byte
	// newReader returns what judges the replies on one conn.
	newReader() reader
}

// reader takes a stream of replies, cut in any way, and returns how many ended.
type reader interface {
	read(p []byte) (messages int, err error)
}

// NewEcho is a dialogue with a server that echoes bytes; a message is size of
// them.
func NewEcho(size int) Dialogue { return echo{payload(size)} }

type echo struct{ message []byte }

func (e echo) greet(*conn) error  { return nil }
func (e echo) batch(n int) []byte { return bytes.Repeat(e.message, n) }
func (e echo) newReader() reader  { return &repeated{want: e.message} }

// payload is never the same twice within 251 bytes, so that a byte that is lost
// or doubled shows.
func payload(size int) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}

// repeated wants the same bytes again and again, but for those between from and
// to, which may be any.
type repeated struct {
	want     []byte
	from, to int
	offset   int
}

func (r *repeated) read(p []byte) (messages int, err error) {
	for len(p) > 0 {
		n := min(len(p), len(r.want)-r.offset)
		if !r.match(p[:n]) {
			return messages, errReply
		}
		p, r.offset = p[n:], r.offset+n
		if r.offset == len(r.want) {
			r.offset = 0
			messages++
		}
	}
	return messages, nil
}

// match compares p with what is wanted at the offset.
func (r *repeated) match(p []byte) bool {
	end := r.offset + len(p)
	before, after := min(r.from, end), max(r.to, r.offset)
	if r.offset < before && !bytes.Equal(p[:before-r.offset], r.want[r.offset:before]) {
		return false
	}
	return after >= end || bytes.Equal(p[after-r.offset:], r.want[after:end])
}

// NewWebSocketEcho is a dialogue with a WebSocket server that echoes binary
// messages of size bytes.
func NewWebSocketEcho(size int) Dialogue { return webSocketEcho{payload(size)} }

type webSocketEcho struct{ message []byte }

// The example of https://www.rfc-editor.org/rfc/rfc6455#section-1.3.
const (
	handshakeKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	handshakeAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

const handshakeFields = " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + handshakeKey + "\r\n"

const handshake = "GET /" + handshakeFields + "\r\n"

func (w webSocketEcho) greet(c *conn) error { return c.shakeHands(handshake) }

// shakeHands makes a WebSocket of a conn that blocks.
func (c *conn) shakeHands(handshake string) error {
	if err := c.send([]byte(handshake)); err != nil {
		return err
	}
	head, err := c.receiveHead()
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) || !bytes.Contains(head, []byte(handshakeAccept)) {
		return fmt.Errorf("load: the handshake was answered with %.100q", head)
	}
	return nil
}

// batch masks every message with another key. They are the same in every batch
// and conn: that a key be unpredictable (RFC 6455 §10.3) is for the sake of
// proxies, of which there are none.
func (w webSocketEcho) batch(n int) []byte {
	var p []byte
	for i := range n {
		p = appendFrame(p, uint32(i+1)*2654435761, w.message)
	}
	return p
}

func (w webSocketEcho) newReader() reader { return &frameReader{payload: w.message} }

// NewHTTP is a dialogue of GET requests with a few header fields, as browsers
// send them. All replies of a server must be like its first, but for the date.
func NewHTTP() Dialogue { return new(httpGet) }

type httpGet struct {
	reply    []byte // the first one; nil before
	from, to int    // the value of its Date field
}

const request = "GET /chat/room?id=42 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
	"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n" +
	"Cookie: session=0123456789abcdef\r\n\r\n"

func (h *httpGet) greet(c *conn) error {
	if h.reply != nil {
		return nil
	}
	if err := c.send([]byte(request)); err != nil {
		return err
	}
	head, err := c.receiveHead()
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("load: the request was answered with %.100q", head)
	}
	_, _, value := field(head, "content-length")
	length, err := strconv.Atoi(value)
	if err != nil || length > 1<<20 {
		return errors.New("load: the response has no Content-Length")
	}
	body, err := c.receive(length)
	if err != nil {
		return err
	}
	h.from, h.to, _ = field(head, "date")
	h.reply = append(head, body...)
	return nil
}

// field finds the value of a header field; from and to are its place.
func field(head []byte, name string) (from, to int, value string) {
	for at := 0; at < len(head); {
		end := at + bytes.Index(head[at:], []byte("\r\n"))
		key, _, ok := bytes.Cut(head[at:end], []byte(":"))
		if ok && bytes.EqualFold(key, []byte(name)) {
			from = at + len(key) + 1
			return from, end, string(bytes.TrimSpace(head[from:end]))
		}
		at = end + 2
	}
	return 0, 0, ""
}

func (h *httpGet) batch(n int) []byte { return bytes.Repeat([]byte(request), n) }
func (h *httpGet) newReader() reader  { return &repeated{want: h.reply, from: h.from, to: h.to} }
