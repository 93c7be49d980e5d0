package asgitest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// wire is a client that writes and reads raw bytes, so that framing is seen
// exactly. Whatever is wrong fails the test at once.
//
// Not safe for concurrent use.
type wire struct {
	tb   testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func newWire(tb testing.TB, conn net.Conn) *wire {
	return &wire{tb: tb, conn: conn, r: bufio.NewReader(conn)}
}

// write sends text in one piece.
func (w *wire) write(text string) {
	w.tb.Helper()
	if _, err := io.WriteString(w.conn, text); err != nil {
		w.tb.Fatalf("client: %v", err)
	}
}

// request sends the head of a request of HTTP/1.1, lines without their ends,
// and a body that is framed by the lines.
func (w *wire) request(line string, lines ...string) {
	w.tb.Helper()
	w.write(requestHead(line, lines...))
}

func requestHead(line string, lines ...string) string {
	all := append([]string{line + " HTTP/1.1", "Host: test"}, lines...)
	return strings.Join(all, "\r\n") + "\r\n\r\n"
}

// get sends a GET request and returns its response.
func (w *wire) get(target string, lines ...string) *reply {
	w.tb.Helper()
	w.request("GET "+target, lines...)
	return w.response("GET")
}

// closeWrite ends the client's stream; it still reads.
func (w *wire) closeWrite() {
	w.tb.Helper()
	if err := w.conn.(*net.TCPConn).CloseWrite(); err != nil {
		w.tb.Fatalf("client: %v", err)
	}
}

// abort resets the connection.
func (w *wire) abort() {
	w.tb.Helper()
	if err := w.conn.(*net.TCPConn).SetLinger(0); err != nil {
		w.tb.Fatalf("client: %v", err)
	}
	w.conn.Close()
}

// reply is a response as it was on the wire.
type reply struct {
	tb       testing.TB
	status   int
	proto    string
	headers  []asgi.Header // names lower-case
	framing  string        // "none", "length", "chunked" or "close"
	body     string
	pieces   int // chunks
	trailers []asgi.Header
	err      error // why the body is not complete
}

// head reads a status line and fields.
func (w *wire) head() *reply {
	w.tb.Helper()
	line, err := w.line()
	if err != nil {
		w.tb.Fatalf("client: no response: %v", err)
	}
	proto, rest, _ := strings.Cut(line, " ")
	code, _, ok := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || !ok || len(code) != 3 || !strings.HasPrefix(proto, "HTTP/1.") {
		w.tb.Fatalf("client: bad status line %q (RFC 9112 section 4)", line)
	}
	r := &reply{tb: w.tb, status: status, proto: proto}
	if r.headers, err = w.fields(); err != nil {
		w.tb.Fatalf("client: %v", err)
	}
	return r
}

func (w *wire) line() (string, error) {
	line, err := w.r.ReadString('\n')
	if err != nil {
		return line, err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsAny(text, "\r\x00") {
		return line, fmt.Errorf("line %q is not ended by CRLF alone (RFC 9112 section 2.2)", line)
	}
	return text, nil
}

func (w *wire) fields() ([]asgi.Header, error) {
	var headers []asgi.Header
	for {
		line, err := w.line()
		if err != nil || line == "" {
			return headers, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return headers, fmt.Errorf("bad field line %q (RFC 9112 section 5)", line)
		}
		headers = append(headers, asgi.Header{Name: strings.ToLower(name), Value: strings.Trim(value, " \t")})
	}
}

// response reads a final response to a request of the given method.
func (w *wire) response(method string) *reply {
	w.tb.Helper()
	r := w.head()
	if r.status < 200 {
		w.tb.Fatalf("client: interim response %d", r.status)
	}
	w.body(method, r)
	return r
}

// body reads the body of a response by its framing (RFC 9112 section 6.3).
func (w *wire) body(method string, r *reply) {
	w.tb.Helper()
	coding, chunked := r.lookup("transfer-encoding")
	length, sized := r.lookup("content-length")
	if chunked && (sized || coding != "chunked") {
		w.tb.Fatalf("client: framing is both %q and %q bytes", coding, length)
	}
	var body strings.Builder
	switch {
	case method == "HEAD" || r.status == 204 || r.status == 304:
		r.framing = "none"
	case chunked:
		r.framing = "chunked"
		for {
			n, err := w.copyChunk(&body)
			if err != nil {
				r.err = err
				break
			}
			if n == 0 {
				r.trailers, r.err = w.fields()
				break
			}
			r.pieces++
		}
	case sized:
		r.framing = "length"
		n, err := strconv.ParseUint(length, 10, 62)
		if err != nil {
			w.tb.Fatalf("client: Content-Length is %q", length)
		}
		body.Grow(int(min(n, 64<<20)))
		_, err = io.CopyN(&body, w.r, int64(n))
		r.err = unexpectedEOF(err)
	default:
		r.framing = "close"
		_, r.err = io.Copy(&body, w.r)
	}
	r.body = body.String()
	if r.err != nil && isTimeout(r.err) {
		w.tb.Fatalf("client: the body does not end: %v", r.err)
	}
}

// chunk reads one chunk; the last one is "".
func (w *wire) chunk() (string, error) {
	var chunk strings.Builder
	_, err := w.copyChunk(&chunk)
	return chunk.String(), err
}

// copyChunk appends one chunk to a body and returns its length, which is 0 of the last
// one.
func (w *wire) copyChunk(to *strings.Builder) (n int64, err error) {
	line, err := w.line()
	if err != nil {
		return 0, unexpectedEOF(err)
	}
	size, err := strconv.ParseUint(line, 16, 31)
	if err != nil {
		return 0, fmt.Errorf("bad chunk size %q (RFC 9112 section 7.1)", line)
	}
	if size == 0 {
		return 0, nil
	}
	var end [2]byte
	to.Grow(int(size))
	if _, err = io.CopyN(to, w.r, int64(size)); err == nil {
		_, err = io.ReadFull(w.r, end[:])
	}
	if err != nil {
		return 0, unexpectedEOF(err)
	}
	if string(end[:]) != "\r\n" {
		return 0, errors.New("chunk without its CRLF (RFC 9112 section 7.1)")
	}
	return int64(size), nil
}

// nextChunk reads a chunk that must be want.
func (w *wire) nextChunk(want string) {
	w.tb.Helper()
	got, err := w.chunk()
	if err != nil || got != want {
		w.tb.Fatalf("client: chunk %q, %v; want %q", got, err, want)
	}
}

func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// ends fails the test unless the server closes the connection, with nothing
// more on it, and closes the client's end too.
func (w *wire) ends() {
	w.tb.Helper()
	rest, err := io.ReadAll(w.r)
	if len(rest) > 0 {
		w.tb.Errorf("client: more comes: %s", abbreviate(rest))
	}
	if err != nil && isTimeout(err) {
		w.tb.Errorf("client: the connection is still open")
	}
	w.conn.Close()
}

// is fails the test unless the response is whole, with this status and body.
func (r *reply) is(status int, body string) *reply {
	r.tb.Helper()
	if r.status != status || r.body != body || r.err != nil {
		r.tb.Errorf("client: response %d, body %s, %v; want %d, %s",
			r.status, abbreviate([]byte(r.body)), r.err, status, abbreviate([]byte(body)))
	}
	return r
}

// hasStatus is for responses whose body is the server's own.
func (r *reply) hasStatus(status int) *reply {
	r.tb.Helper()
	if r.status != status || r.err != nil {
		r.tb.Errorf("client: response %d, %v; want %d", r.status, r.err, status)
	}
	return r
}

// framed fails the test unless the body was framed this way.
func (r *reply) framed(want string) *reply {
	r.tb.Helper()
	if r.framing != want {
		r.tb.Errorf("client: the body is framed by %q, want %q", r.framing, want)
	}
	return r
}

// truncated fails the test if the response looks complete.
func (r *reply) truncated() *reply {
	r.tb.Helper()
	if r.err == nil {
		r.tb.Errorf("client: the response ends as if it were complete: body %s framed by %s",
			abbreviate([]byte(r.body)), r.framing)
	}
	return r
}

// has fails the test unless the fields called name have exactly these values.
func (r *reply) has(name string, want ...string) *reply {
	r.tb.Helper()
	if got := valuesOf(r.headers, name); !slices.Equal(got, want) {
		r.tb.Errorf("client: field %s is %q, want %q", name, got, want)
	}
	return r
}

func (r *reply) lookup(name string) (value string, ok bool) {
	values := valuesOf(r.headers, name)
	if len(values) > 1 && (name == "content-length" || name == "transfer-encoding") {
		r.tb.Errorf("client: %d fields %s", len(values), name)
	}
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

func valuesOf(headers []asgi.Header, name string) []string {
	var values []string
	for _, h := range headers {
		if h.Name == name {
			values = append(values, h.Value)
		}
	}
	return values
}
