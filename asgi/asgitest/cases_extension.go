package asgitest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gale-server/gale/asgi"
)

const (
	specEarlyHint = specExtensions + "#early-hints"
	specTrailers  = specExtensions + "#http-trailers"
	specPathSend  = specExtensions + "#path-send"
	specZeroCopy  = specExtensions + "#zero-copy-send"
)

func hint(links ...string) *asgi.HTTPEarlyHint { return &asgi.HTTPEarlyHint{Links: links} }

func startWithTrailers(headers ...string) *asgi.HTTPResponseStart {
	ev := start(200, headers...)
	ev.Trailers = true
	return ev
}

func trailers(lines ...string) *asgi.HTTPResponseTrailers {
	return &asgi.HTTPResponseTrailers{Headers: fields(lines...)}
}

// hinted reads an interim response 103 with these links.
func (w *wire) hinted(links ...string) {
	w.tb.Helper()
	r := w.head()
	if r.status != 103 {
		w.tb.Fatalf("client: status %d, want 103", r.status)
	}
	r.has("link", links...).has("content-length").has("transfer-encoding")
}

// tempFile makes a file with this content.
func (s *session) tempFile(content string) (path string) {
	s.tb.Helper()
	path = filepath.Join(s.tb.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	return path
}

var extensionCases = []testCase{
	{
		name:   "http/100 early hints before the start",
		clause: "http.response.early_hint: 103 with a Link field for each link, repeatable (RFC 8297)",
		link:   specEarlyHint,
		run: func(s *session) {
			s.serve(respond("/", "ok", send(hint("</a.css>; rel=preload", "</b.js>; rel=preload")), send(hint("</c>; rel=next"))))
			w := s.dial()
			w.request("GET /")
			w.hinted("</a.css>; rel=preload", "</b.js>; rel=preload")
			w.hinted("</c>; rel=next")
			w.response("GET").is(200, "ok").has("link")
		},
	},
	{
		name:   "http/101 early hints between start and body",
		clause: "http.response.early_hint: any time after start and before the last body; decision: while the start is held",
		link:   specEarlyHint,
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(hint("</a>; rel=preload")), send(more("o")),
				sendOutOfOrder(hint("</late>; rel=preload")), send(last("k"))))
			w := s.dial()
			w.request("GET /")
			w.hinted("</a>; rel=preload")
			w.response("GET").is(200, "ok")
		},
	},
	{
		name:   "http/102 no early hints for HTTP 1.0",
		clause: "a client of HTTP/1.0 never gets a 1xx (RFC 9110 section 15.2)",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-15.2",
		run: func(s *session) {
			s.serve(respond("/", "ok", send(hint("</a>; rel=preload"))))
			w := s.dial()
			w.write("GET / HTTP/1.0\r\n\r\n")
			w.response("GET").is(200, "ok")
		},
	},
	{
		name:   "http/103 malformed early hints",
		clause: "a link that would break the field is an error out of send",
		link:   specEarlyHint,
		run: func(s *session) {
			s.serve(on("/", sendMalformed(hint("</a>\r\nx-injected: yes")), raise()))
			s.dial().get("/").hasStatus(500).has("x-injected")
		},
	},
	{
		name:   "http/104 trailers for a client that asks",
		clause: "http.response.trailers: sent after the last chunk to a client with TE: trailers",
		link:   specTrailers,
		run: func(s *session) {
			s.serve(on("/", send(startWithTrailers("trailer: x-sum, x-more")), send(more("bo")), send(last("dy")),
				send(&asgi.HTTPResponseTrailers{Headers: fields("x-sum: 1"), MoreTrailers: true}), send(trailers("x-more: 2"))),
				on("/one", send(startWithTrailers("trailer: x-sum")), send(last("body")), send(trailers("x-sum: 1"))))
			w := s.dial()
			r := w.get("/", "TE: trailers", "Connection: TE").is(200, "body").framed("chunked").has("trailer", "x-sum, x-more")
			for name, want := range map[string]string{"x-sum": "1", "x-more": "2"} {
				if got := valuesOf(r.trailers, name); !slices.Equal(got, []string{want}) {
					s.tb.Errorf("client: trailer %s is %q, want %q", name, got, want)
				}
			}
			r = w.get("/one", "TE: trailers", "Connection: TE").is(200, "body").framed("chunked")
			if want := fields("x-sum: 1"); !slices.Equal(r.trailers, want) {
				s.tb.Errorf("client: trailers are %v, want %v", r.trailers, want)
			}
		},
	},
	{
		name:   "http/105 trailers for a client that does not ask",
		clause: "http.response.trailers: not sent without TE: trailers, but awaited all the same",
		link:   specTrailers,
		run: func(s *session) {
			s.serve(on("/", send(startWithTrailers()), send(more("bo")), send(last("dy")), send(trailers("x-sum: 1")), disconnectedAfter()),
				respond("/next", "next"))
			w := s.dial()
			if r := w.get("/").is(200, "body"); len(r.trailers) > 0 {
				s.tb.Errorf("client: trailers are %v", r.trailers)
			}
			w.get("/next").is(200, "next")
		},
	},
	{
		name:   "http/106 trailers that were not announced",
		clause: "http.response.trailers: only after a start with trailers, and then after the last body",
		link:   specTrailers,
		run: func(s *session) {
			s.serve(on("/", send(start(200)), send(more("o")), sendOutOfOrder(trailers("x: 1")), send(last("k"))),
				on("/early", send(startWithTrailers()), send(more("o")), sendOutOfOrder(trailers("x: 1")), send(last("k")), send(trailers())))
			w := s.dial()
			w.get("/").is(200, "ok")
			w.get("/early", "TE: trailers", "Connection: TE").is(200, "ok")
		},
	},
	{
		name:   "http/107 missing trailers",
		clause: "decision: an application that ends before its trailers has not completed its response",
		link:   specTrailers,
		run: func(s *session) {
			s.serve(on("/", send(startWithTrailers()), send(more("bo")), send(last("dy"))))
			w := s.dial()
			w.get("/", "TE: trailers", "Connection: TE").truncated()
			w.ends()
		},
	},
	{
		name:   "http/108 pathsend",
		clause: "http.response.pathsend: completes the response with the contents of the file",
		link:   specPathSend,
		run: func(s *session) {
			content := strings.Repeat("0123456789", 100_000)
			path := s.tempFile(content)
			s.serve(on("/", send(start(200, fmt.Sprint("content-length: ", len(content)), "content-type: text/plain")),
				send(&asgi.HTTPResponsePathSend{Path: path})),
				on("/head", send(start(200, fmt.Sprint("content-length: ", len(content)))), send(&asgi.HTTPResponsePathSend{Path: path})),
				respond("/next", "next"))
			w := s.dial()
			w.get("/").is(200, content).framed("length").has("content-type", "text/plain")
			w.request("HEAD /head")
			w.response("HEAD").is(200, "").has("content-length", fmt.Sprint(len(content)))
			w.get("/next").is(200, "next")
		},
	},
	{
		name:   "http/109 pathsend is not mixed with body",
		clause: "http.response.pathsend: after start, once, and no body with it",
		link:   specPathSend,
		run: func(s *session) {
			path := s.tempFile("file")
			s.serve(on("/", sendOutOfOrder(&asgi.HTTPResponsePathSend{Path: path}), send(start(200)), send(more("o")),
				sendOutOfOrder(&asgi.HTTPResponsePathSend{Path: path}), send(last("k"))))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "http/110 pathsend of a file that is not there",
		clause: "a file that cannot be read is an error, not an empty response",
		link:   specPathSend,
		run: func(s *session) {
			missing := s.tempFile("") + ".missing"
			s.serve(on("/", send(start(200)), sendMalformed(&asgi.HTTPResponsePathSend{Path: missing}), raise()))
			s.dial().get("/").hasStatus(500)
		},
	},
	{
		name:   "http/111 zero-copy send",
		clause: "http.response.zerocopysend: parts of files, mixed with body; the application closes the file when send has returned",
		link:   specZeroCopy,
		run: func(s *session) {
			content := strings.Repeat("0123456789", 50_000)
			path := s.tempFile(content)
			s.serve(on("/", send(start(200)), send(more("<")), fileStep{path, 3, 4, true}, send(more("|")),
				fileStep{path, -1, 2, true}, send(more("|")), fileStep{path, 1, -1, true}, send(last(">"))),
				on("/whole", send(start(200, fmt.Sprint("content-length: ", len(content)))), fileStep{path, 0, -1, false}))
			w := s.dial()
			w.get("/").is(200, "<3456|01|"+content[1:]+">")
			w.get("/whole").is(200, content).framed("length")
		},
	},
	{
		name:   "http/112 zero-copy send is in order like a body",
		clause: "http.response.zerocopysend: after start",
		link:   specZeroCopy,
		run: func(s *session) {
			s.serve(respond("/", "ok", sendOutOfOrder(&asgi.HTTPResponseZeroCopySend{})))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "http/113 parts of one open file at the same time",
		clause: "http.response.zerocopysend: an offset is an argument, not the position of the file, which nobody moves",
		link:   specZeroCopy,
		run: func(s *session) {
			content := strings.Repeat("0123456789abcdef", 5<<20/16)
			file := s.openFile(s.tempFile(content))
			var scripts []script
			offsets := []int64{0, 1, 100_003, 4 << 20}
			for _, offset := range offsets {
				scripts = append(scripts, on(fmt.Sprint("/", offset), send(start(200)),
					send(&asgi.HTTPResponseZeroCopySend{File: file, Offset: offset, Count: -1, MoreBody: true}), send(more("|")),
					send(&asgi.HTTPResponseZeroCopySend{File: file, Offset: offset, Count: 1 << 20, MoreBody: offset > 0}), send(last("end"))))
			}
			s.serve(scripts...)
			var conns []*wire
			for _, offset := range offsets {
				w := s.dial()
				w.request(fmt.Sprint("GET /", offset))
				conns = append(conns, w)
			}
			for i, offset := range offsets {
				want := content[offset:] + "|" + content[offset:][:1<<20]
				if offset > 0 {
					want += "end"
				}
				conns[i].response("GET").is(200, want)
			}
			if at, err := file.Seek(0, 1); at != 0 || err != nil {
				s.tb.Errorf("the file's position was moved to %d, %v", at, err)
			}
		},
	},
	{
		name:   "http/114 zero-copy send beyond the end of the file",
		clause: "decision: a count that the file does not have is an error, not a shorter body",
		link:   specZeroCopy,
		run: func(s *session) {
			file := s.openFile(s.tempFile("0123456789"))
			s.serve(on("/", send(start(200)), sendMalformed(&asgi.HTTPResponseZeroCopySend{File: file, Offset: 1, Count: 10}), raise()))
			s.dial().get("/").hasStatus(500)
		},
	},
	{
		name:   "http/115 a file that shrinks while it is sent",
		clause: "a response that cannot be completed is visibly truncated (RFC 9112 section 8)",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-8",
		run: func(s *session) {
			path, size := s.largeFile()
			s.serve(on("/path", send(start(200, size)), send(&asgi.HTTPResponsePathSend{Path: path})),
				on("/part", send(start(200)), fileStep{path, 0, -1, true}, signal("sent"), disconnectedAfter()))
			for _, target := range []string{"/path", "/part"} {
				s.resize(path, largeFile)
				w := s.dial()
				w.request("GET " + target)
				r := w.head()
				if target == "/part" {
					s.wait("sent") // so that send has not met the end itself
				}
				s.resize(path, 1)
				w.body("GET", r)
				r.truncated()
				w.ends()
			}
		},
	},
	{
		name:   "http/116 a client that leaves while a file is sent",
		clause: "http.disconnect: sent when the client is gone, whatever is being sent",
		link:   specZeroCopy,
		run: func(s *session) {
			path, _ := s.largeFile()
			s.serve(on("/", send(start(200)), fileStep{path, 0, -1, true}, signal("sent"), disconnectedAfter(), signal("told")))
			w := s.dial()
			w.request("GET /")
			w.head()
			s.wait("sent") // so that send has not met the end itself
			w.abort()
			s.wait("told")
		},
	},
}

// largeFile is more than what sockets hold, in bytes.
const largeFile = 64 << 20

// largeFile makes a file of that size, which takes no room on the disk, and returns
// its Content-Length, too.
func (s *session) largeFile() (path, length string) {
	s.tb.Helper()
	path = s.tempFile("")
	s.resize(path, largeFile)
	return path, fmt.Sprint("content-length: ", largeFile)
}

func (s *session) resize(path string, size int64) {
	s.tb.Helper()
	if err := os.Truncate(path, size); err != nil {
		s.tb.Fatal(err)
	}
}

// openFile opens a file until the test is over.
func (s *session) openFile(path string) *os.File {
	s.tb.Helper()
	file, err := os.Open(path)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { file.Close() })
	return file
}

// disconnectedAfter takes the request, if it has not been taken, and the
// disconnect: the sign that the server holds the response for complete.
func disconnectedAfter() step {
	return receiveStep{"http.disconnect at last", func() matcher {
		return func(ev asgi.ReceiveEvent) (bool, error) {
			switch ev.(type) {
			case *asgi.HTTPRequest:
				return false, nil
			case *asgi.HTTPDisconnect:
				return true, nil
			}
			return false, unexpected(ev)
		}
	}}
}
