package load

import (
	"bytes"
	"fmt"
	"strconv"
)

// NewPage is a dialogue of GET requests for one page, whose responses end by their
// length or in chunks, which may differ from one to the next. Each must have this body.
func NewPage(path, body string) Dialogue {
	return page{request: "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: galebench\r\nAccept: */*\r\n\r\n", body: []byte(body)}
}

type page struct {
	request string
	body    []byte
}

func (p page) greet(*conn) error  { return nil }
func (p page) batch(n int) []byte { return bytes.Repeat([]byte(p.request), n) }
func (p page) newReader() reader  { return &pageReader{want: p.body} }

// pageReader reads one response after the other.
type pageReader struct {
	want  []byte
	begun []byte
}

func (r *pageReader) read(p []byte) (messages int, err error) {
	r.begun = append(r.begun, p...)
	for {
		n, err := r.response(r.begun)
		if err != nil || n == 0 {
			return messages, err
		}
		messages++
		r.begun = append(r.begun[:0], r.begun[n:]...)
	}
}

// response returns the length of the response that p begins with, 0 if it is not
// complete.
func (r *pageReader) response(p []byte) (int, error) {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	head, rest := p[:end+4], p[end+4:]
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return 0, fmt.Errorf("load: the server answered %.100q", line)
	}
	_, _, value := field(head, "content-length")
	length, err := strconv.Atoi(value)
	if err != nil {
		body, n, err := dechunk(rest)
		if err != nil || n == 0 {
			return 0, err
		}
		return len(head) + n, r.compare(body)
	}
	if len(rest) < length {
		return 0, nil
	}
	return len(head) + length, r.compare(rest[:length])
}

func (r *pageReader) compare(body []byte) error {
	if !bytes.Equal(body, r.want) {
		return errReply
	}
	return nil
}

// dechunk returns the body of the chunks that p begins with, and their length; 0 if
// they are not complete. Nobody sends trailers.
func dechunk(p []byte) (body []byte, n int, err error) {
	for {
		line, rest, ok := bytes.Cut(p[n:], []byte("\r\n"))
		if !ok {
			return nil, 0, nil
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return nil, 0, errResponse
		}
		if len(rest) < int(size)+2 {
			return nil, 0, nil
		}
		body = append(body, rest[:size]...)
		n += len(line) + 2 + int(size) + 2
		if size == 0 {
			return body, n, nil
		}
	}
}
