package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// web publishes by POST requests, and is what the media of HTTP have in common.
type web struct {
	path string // of a subscriber, with "%s" for the room
}

// publishPath is the same for all, with "%s" for the room.
const publishPath = "/pub?id=%s"

func (w web) primes() bool                    { return true }
func (w web) publisher(*conn) (talker, error) { return new(poster), nil }

// request asks for a room; query and fields are added as they are.
func (w web) request(room, query, fields string) []byte {
	path := strings.Replace(w.path, "%s", room, 1)
	return []byte("GET " + path + query + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields + "\r\n")
}

// poster posts publications.
type poster struct{ responses responses }

func (p *poster) answers() bool { return true }

func (p *poster) publication(room string, text []byte) []byte {
	return fmt.Appendf(nil, "POST "+publishPath+" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		room, len(text), text)
}

func (p *poster) read(piece []byte, text func([]byte) error) ([]byte, error) {
	return nil, p.responses.read(piece, func(_ int, _, body []byte) error { return text(body) })
}

// responses reads responses of a known length.
type responses struct{ begun []byte }

var errResponse = errors.New("load: not a response of a known length")

// read calls each for each response; what it is called with is valid only during
// the call. A status that is not one of success is an error.
func (r *responses) read(p []byte, each func(status int, head, body []byte) error) error {
	if len(r.begun) > 0 {
		r.begun = append(r.begun, p...)
		p = r.begun
	}
	for {
		end := bytes.Index(p, []byte("\r\n\r\n"))
		if end < 0 {
			break
		}
		head := p[:end+4]
		status, length, err := parseHead(head)
		if err != nil {
			return err
		}
		if len(p) < len(head)+length {
			break
		}
		if err := each(status, head, p[len(head):len(head)+length]); err != nil {
			return err
		}
		p = p[len(head)+length:]
	}
	if len(p) > maxMessage {
		return errResponse
	}
	r.begun = append(r.begun[:0], p...)
	return nil
}

// parseHead finds what of a head matters.
func parseHead(head []byte) (status, length int, err error) {
	if len(head) < len("HTTP/1.1 200") || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
		return 0, 0, errResponse
	}
	status, err = strconv.Atoi(string(head[9:12]))
	if err != nil || status < 200 || status > 299 {
		line, _, _ := strings.Cut(string(head), "\r\n")
		return 0, 0, fmt.Errorf("load: the server answered %.100q", line)
	}
	if status == 204 {
		return status, 0, nil
	}
	_, _, value := field(head, "content-length")
	length, err = strconv.Atoi(value)
	if err != nil || length < 0 || length > maxMessage {
		return 0, 0, errResponse
	}
	return status, length, nil
}

// NewEventStreams is a medium of server-sent events. path is where to subscribe,
// with "%s" for the room.
func NewEventStreams(path string) Medium { return eventStreams{web{path}} }

type eventStreams struct{ web }

func (m eventStreams) subscribe(c *conn, room string) (receiver, error) {
	if err := c.send(m.request(room, "", "Accept: text/event-stream\r\n")); err != nil {
		return nil, err
	}
	head, err := c.receiveHead()
	if err != nil {
		return nil, err
	}
	_, _, kind := field(head, "content-type")
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) || !strings.HasPrefix(kind, "text/event-stream") {
		return nil, fmt.Errorf("load: the request was answered with %.200q", head)
	}
	_, _, coding := field(head, "transfer-encoding")
	return &eventReader{chunked: coding == "chunked"}, nil
}

// eventReader reads server-sent events, in chunks or not.
type eventReader struct {
	chunked bool
	chunks  chunks
	begun   []byte // of an event that is not complete
}

func (r *eventReader) read(p []byte, text func([]byte) error) ([]byte, error) {
	var err error
	if r.chunked {
		r.begun, err = r.chunks.appendTo(r.begun, p)
	} else {
		r.begun = append(r.begun, p...)
	}
	if err != nil {
		return nil, err
	}
	end := bytes.LastIndex(r.begun, []byte("\n\n"))
	if end < 0 {
		if len(r.begun) > maxMessage {
			return nil, errResponse
		}
		return nil, nil
	}
	if err := text(r.begun[:end+2]); err != nil {
		return nil, err
	}
	r.begun = append(r.begun[:0], r.begun[end+2:]...)
	return nil, nil
}

// chunks takes the chunked coding off a stream that is cut in any way
// (https://www.rfc-editor.org/rfc/rfc9112#section-7.1). Nobody sends trailers.
type chunks struct {
	line []byte // of the size that is being read, up to its LF
	left int    // of the chunk and its CRLF
}

func (c *chunks) appendTo(dst, p []byte) ([]byte, error) {
	for len(p) > 0 {
		if c.left > 0 {
			n := min(c.left, len(p))
			data := min(max(c.left-2, 0), n) // the last two are CRLF
			dst = append(dst, p[:data]...)
			c.left -= n
			p = p[n:]
			continue
		}
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			c.line = append(c.line, p...)
			return dst, nil
		}
		c.line = append(c.line, p[:end]...)
		p = p[end+1:]
		digits, _, _ := strings.Cut(strings.TrimSpace(string(c.line)), ";")
		size, err := strconv.ParseUint(digits, 16, 31)
		if err != nil {
			return dst, errResponse
		}
		if size == 0 {
			return dst, errHungUp
		}
		c.line, c.left = c.line[:0], int(size)+2
	}
	return dst, nil
}

// NewGalePolls is a medium of long polls as gale has them.
func NewGalePolls() Medium {
	return polls{web{"/hub/poll?ch=%s"}, func(w web, room string, _, body []byte) ([]byte, error) {
		if body == nil {
			return w.request(room, "&wait=0", ""), nil // for a cursor
		}
		const key = `"cursor":"`
		_, cursor, ok := bytes.Cut(body, []byte(key))
		end := bytes.IndexByte(cursor, '"')
		if !ok || end <= 0 {
			return nil, fmt.Errorf("load: no cursor in %.200q", body)
		}
		return w.request(room, "&wait=55&cursor="+string(cursor[:end]), ""), nil
	}}
}

// NewNchanPolls is a medium of long polls as nchan has them: the place in the
// channel is in the fields of conditional requests.
func NewNchanPolls() Medium {
	return polls{web{"/poll?id=%s"}, func(w web, room string, head, body []byte) ([]byte, error) {
		if body == nil {
			return w.request(room, "", ""), nil
		}
		_, _, modified := field(head, "last-modified")
		_, _, tag := field(head, "etag")
		if modified == "" {
			return nil, fmt.Errorf("load: no Last-Modified in %.300q", head)
		}
		return w.request(room, "", "If-Modified-Since: "+modified+"\r\nIf-None-Match: "+tag+"\r\n"), nil
	}}
}

// polls ask again as soon as they have an answer.
type polls struct {
	web
	// next makes a request of the response to the one before; of a nil body one
	// that is answered at once.
	next func(w web, room string, head, body []byte) ([]byte, error)
}

func (m polls) subscribe(c *conn, room string) (receiver, error) {
	first, err := m.next(m.web, room, nil, nil)
	if err != nil {
		return nil, err
	}
	r := &pollReader{polls: m, room: room}
	_, err = ask(c, r, first) // it polls from then on
	return r, err
}

type pollReader struct {
	polls
	room      string
	responses responses
}

func (r *pollReader) read(p []byte, text func([]byte) error) (say []byte, err error) {
	err = r.responses.read(p, func(_ int, head, body []byte) error {
		if err := text(body); err != nil {
			return err
		}
		next, err := r.next(r.web, r.room, head, body)
		say = append(say, next...)
		return err
	})
	return say, err
}
