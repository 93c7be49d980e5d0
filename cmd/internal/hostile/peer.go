package hostile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// peer is one connection of a client.
//
// Not safe for concurrent use.
type peer struct {
	t    *Target
	conn *net.TCPConn
	in   *bufio.Reader
	stop func() bool
}

// dial connects. The connection is cut when ctx is done, so that no wait
// outlasts it.
func (t *Target) dial(ctx context.Context) (*peer, error) {
	d := net.Dialer{Timeout: t.Patience}
	conn, err := d.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, err
	}
	p := &peer{t: t, conn: conn.(*net.TCPConn), in: bufio.NewReader(conn)}
	p.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if err := conn.SetDeadline(time.Now().Add(t.Patience)); err == nil && ctx.Err() != nil {
		_ = conn.SetDeadline(time.Unix(1, 0)) // it was done before
	}
	return p, nil
}

// close leaves in good order.
func (p *peer) close() {
	p.stop()
	_ = p.conn.Close()
}

// reset leaves with a reset: what is on the way in either direction is lost. It
// frees the port at once, too.
func (p *peer) reset() {
	p.stop()
	_ = p.conn.SetLinger(0)
	_ = p.conn.Close()
}

func (p *peer) write(b ...byte) error {
	_, err := p.conn.Write(b)
	return err
}

func (p *peer) say(s string) error {
	_, err := io.WriteString(p.conn, s)
	return err
}

// request is a request as it goes over the wire.
func (t *Target) request(method, path string, body string) string {
	r := method + " " + t.Path + path + " HTTP/1.1\r\nHost: target\r\nUser-Agent: hostile\r\n"
	if body != "" {
		r += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return r + "\r\n" + body
}

// upload is the head of a request with a body of n bytes.
func (t *Target) upload(path string, n int64) string {
	return fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: target\r\nContent-Length: %d\r\n\r\n", t.Path, path, n)
}

// answer reads a response with a body that is not large.
func (p *peer) answer() (status int, body []byte, err error) {
	r, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	body, err = io.ReadAll(io.LimitReader(r.Body, 1<<20))
	return r.StatusCode, body, err
}

// wantAnswer reads a response and compares it.
func (p *peer) wantAnswer(status int, body string) error {
	got, content, err := p.answer()
	switch {
	case err != nil:
		return fmt.Errorf("no answer: %w", err)
	case got != status:
		return fmt.Errorf("status %d instead of %d", got, status)
	case body != "" && string(content) != body:
		return fmt.Errorf("the answer is %.100q instead of %.100q", content, body)
	}
	return nil
}

// wantEnd reads until the server ends the stream, in whatever way, and returns
// what it said before. Only a wait is an error.
func (p *peer) wantEnd() ([]byte, error) {
	rest, err := io.ReadAll(io.LimitReader(p.in, 8<<20))
	if isTimeout(err) {
		return rest, fmt.Errorf("the server does not end the connection, but said %.100q", rest)
	}
	return rest, nil
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// status is that of a response's beginning; 0 if it is none.
func status(response []byte) int {
	line, _, _ := bytes.Cut(response, []byte("\r\n"))
	_, rest, ok := bytes.Cut(line, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 3 {
		return 0
	}
	n, _ := strconv.Atoi(string(rest[:3]))
	return n
}
