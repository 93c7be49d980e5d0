package cgi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// writes is a script that writes text.
func writes(text string) string { return "#!/bin/sh\ncat <<'EOF'\n" + text + "\nEOF\n" }

func TestResponses(t *testing.T) {
	dir := scripts(t, map[string]string{
		"document":  writes("Content-Type: text/x\nX-Own: a\nStatus: 404 Gone\nTransfer-Encoding: chunked\nConnection: x-own\n\nbody"),
		"client":    writes("Location: https://gale.example/a\n"),
		"303":       writes("Status: 303 See Other\nLocation: /cgi/ok\n"),
		"local":     writes("Location: /cgi/target/info?a=b\n"),
		"encoded":   writes("Location: /cgi/target/%C3%A9\n"),
		"loop":      writes("Location: /cgi/loop\n"),
		"away":      writes("Location: /elsewhere\n"),
		"target":    "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\necho \"$REQUEST_METHOD $PATH_INFO $QUERY_STRING $CONTENT_LENGTH $CONTENT_TYPE\"; cat\n",
		"nph-it":    writes("HTTP/1.1 202 Accepted\r\nX-Own: a\r\n\r\nbody"),
		"empty":     "#!/bin/sh\n",
		"half":      "#!/bin/sh\nprintf 'Content-Type: text/plain\\nX-Half'\n",
		"inject":    "#!/bin/sh\nprintf 'Content-Type: text/plain\\rX-Evil: 1\\n\\nbody'\n",
		"crash":     "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbody'\nkill -9 $$\n",
		"crashhead": "#!/bin/sh\nkill -9 $$\n",
		"fails":     "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbody'\nexit 3\n",
		"long":      "#!/bin/sh\nprintf 'Content-Type: text/plain\\nContent-Length: 4\\n\\nbody and more'\n",
		"short":     "#!/bin/sh\nprintf 'Content-Type: text/plain\\nContent-Length: 400\\n\\nbody'\n",
		"large":     "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; head -c 3000000 /dev/zero\n",
		"unread":    "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbody'\n",
	})
	var lines log
	each(t, func(*testing.T) cgi.Config { return cgi.Config{Dir: dir, Logger: lines.logger()} }, func(t *testing.T, s *enginetest.Server) {
		for _, c := range []struct {
			method, path string
			status       int
			body         string
		}{
			{"GET", "/document", 404, "body\n"}, {"HEAD", "/document", 404, ""},
			{"GET", "/client", 302, ""}, {"GET", "/303", 303, ""},
			{"GET", "/local", 200, "GET /info a=b  \n"}, {"POST", "/local", 200, "GET /info a=b  \n"}, {"HEAD", "/local", 200, ""},
			{"GET", "/encoded", 200, "GET /\u00e9   \n"},
			{"GET", "/loop", 502, ""}, {"GET", "/away", 502, ""},
			{"GET", "/nph-it", 202, "body\n"}, {"HEAD", "/nph-it", 202, ""},
			{"GET", "/empty", 502, ""}, {"GET", "/half", 502, ""}, {"GET", "/inject", 502, ""}, {"GET", "/crashhead", 502, ""},
			{"GET", "/fails", 200, "body"}, {"GET", "/long", 200, "body"}, {"GET", "/short", 502, ""},
			{"HEAD", "/large", 200, ""}, {"GET", "/large", 200, strings.Repeat("\x00", 3000000)},
			{"POST", "/unread", 200, "body"},
		} {
			var body io.Reader
			if c.method == "POST" {
				body = bytes.NewReader(make([]byte, 300_000))
			}
			r := request(t, s, c.method, "/cgi"+c.path, body)
			a := do(t, s, r)
			if c.path == "/short" && a.StatusCode == 200 && a.err != nil { // it was cut
				continue
			}
			if a.StatusCode != c.status || a.err != nil || a.StatusCode != 502 && a.body != c.body {
				t.Errorf("%s %s: %d %.100q %v", c.method, c.path, a.StatusCode, a.body, a.err)
			}
			switch c.path {
			case "/document":
				if a.Header.Get("X-Own") != "a" || a.Header.Get("Content-Type") != "text/x" || a.Close {
					t.Errorf("%s: %v", c.path, a.Response)
				}
			case "/client", "/303":
				if a.Header.Get("Location") == "" {
					t.Errorf("%s: %v", c.path, a.Header)
				}
			case "/nph-it":
				if a.Header.Get("X-Own") != "a" || !a.Close {
					t.Errorf("%s: %v, close %v", c.path, a.Header, a.Close)
				}
			case "/inject":
				if a.Header.Get("X-Evil") != "" {
					t.Errorf("%s: %v", c.path, a.Header)
				}
			}
		}
		for _, want := range []string{"script=/fails exit=3", "Content-Length says\" script=/long"} {
			if !strings.Contains(lines.String(), want) {
				t.Errorf("no %q in\n%s", want, &lines)
			}
		}
	})
}

// A local redirect may lead to another handler, and back.
func TestRedirectElsewhere(t *testing.T) {
	dir := scripts(t, map[string]string{"away": writes("Location: /text\n"), "back": writes("Location: /cgi/ok\n"), "ok": hello, "loop": writes("Location: /cgi/loop\n")})
	enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
		var m handlers.Mux
		h, err := cgi.New(cgi.Config{Dir: dir, Class: class(t, executor.ClassConfig{Workers: 2}), Redirect: &m})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Close() })
		m.HTTP("/cgi/*", h)
		m.HTTP("/text", handlers.NewFixed(200, "text"))
		return &m
	}, func(t *testing.T, s *enginetest.Server) {
		for path, want := range map[string]string{"away": "200 text", "back": "200 hello\n", "loop": "502 Bad Gateway\n"} {
			if a := get(t, s, "/cgi/"+path); fmt.Sprint(a.StatusCode, " ", a.body) != want {
				t.Errorf("%s: %d %q", path, a.StatusCode, a.body)
			}
		}
	})
}

// What is written comes while the program goes on, which waits for its client.
func TestStreaming(t *testing.T) {
	dir := scripts(t, map[string]string{
		// It goes on when the file is there.
		"steps": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\none\\n'\nwhile [ ! -e \"$GO\" ]; do sleep 0.01; done\necho two\n",
	})
	each(t, func(t *testing.T) cgi.Config {
		return cgi.Config{Dir: dir, Env: []string{"GO=" + filepath.Join(dir, "go-"+filepath.Base(t.Name()))}}
	}, func(t *testing.T, s *enginetest.Server) {
		res, err := s.Client.Do(request(t, s, "GET", "/cgi/steps", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		in := bufio.NewReader(res.Body)
		if line, err := in.ReadString('\n'); line != "one\n" {
			t.Fatal(line, err)
		}
		write(t, filepath.Join(dir, "go-"+filepath.Base(t.Name())), "", 0o600)
		if rest, err := io.ReadAll(in); string(rest) != "two\n" || err != nil {
			t.Fatalf("%q %v", rest, err)
		}
	})
}

// A program that was brief, whose end alone is waited for the next time, may stream or
// write much for once.
func TestBriefNoMore(t *testing.T) {
	dir := scripts(t, map[string]string{
		"varies": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\none\\n'\ncase $QUERY_STRING in\n" +
			"waits) while [ ! -e \"$GO\" ]; do sleep 0.01; done; echo two;;\nmuch) head -c 1000000 /dev/zero;;\n" +
			"errors) head -c 1000000 /dev/zero >&2;;\nesac\n",
	})
	goes := ""
	each(t, func(t *testing.T) cgi.Config {
		goes = filepath.Join(t.TempDir(), "go")
		return cgi.Config{Dir: dir, Env: []string{"GO=" + goes}}
	}, func(t *testing.T, s *enginetest.Server) {
		brief := func() {
			for range 2 {
				if a := get(t, s, "/cgi/varies"); a.body != "one\n" || a.ContentLength != 4 && a.ContentLength != -1 {
					t.Errorf("%q, length %d", a.body, a.ContentLength)
				}
			}
		}
		brief()
		if a := get(t, s, "/cgi/varies?much"); len(a.body) != 1_000_004 {
			t.Errorf("%d bytes", len(a.body))
		}
		brief()
		if a := get(t, s, "/cgi/varies?errors"); a.body != "one\n" {
			t.Errorf("%q", a.body)
		}
		brief()
		res, err := s.Client.Do(request(t, s, "GET", "/cgi/varies?waits", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		in := bufio.NewReader(res.Body)
		if line, err := in.ReadString('\n'); line != "one\n" {
			t.Fatal(line, err)
		}
		write(t, goes, "", 0o600)
		if rest, err := io.ReadAll(in); string(rest) != "two\n" || err != nil {
			t.Fatalf("%q %v", rest, err)
		}
	})
}

// Bodies of every size and form arrive whole, with their length.
func TestBodies(t *testing.T) {
	dir := scripts(t, map[string]string{"echo": "#!/bin/sh\nprintf 'Content-Type: text/plain\\nX-Length: %s\\n\\n' \"$CONTENT_LENGTH\"\ncat\n"})
	for name, memory := range map[string]int64{"memory": 0, "a large memory": 1 << 20, "a file": -1} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T) cgi.Config {
				return cgi.Config{Dir: dir, SpoolMemoryBytes: memory, MaxBodyBytes: 1 << 20, TempDir: t.TempDir()}
			}, func(t *testing.T, s *enginetest.Server) {
				sizes := []int{0, 1, 64 << 10, 64<<10 + 1, 1 << 20}
				if memory == 0 || longtest.On() {
					sizes = append(sizes, 1<<20+1) // for which net/http takes half a second
				}
				for _, n := range sizes {
					for _, chunked := range []bool{false, true} {
						sent := make([]byte, n)
						for i := range sent {
							sent[i] = byte(i * 7 >> 3)
						}
						body := io.Reader(bytes.NewReader(sent))
						if chunked {
							body = io.MultiReader(body) // hides its length
						}
						a := do(t, s, request(t, s, "POST", "/cgi/echo", body))
						switch {
						case n > 1<<20:
							if a.StatusCode != 413 {
								t.Errorf("%d bytes, chunked %v: %d", n, chunked, a.StatusCode)
							}
						case a.StatusCode != 200 || a.body != string(sent) || a.Header.Get("X-Length") != fmt.Sprint(n):
							t.Errorf("%d bytes, chunked %v: %d, %d bytes, X-Length %s", n, chunked, a.StatusCode, len(a.body), a.Header.Get("X-Length"))
						}
					}
				}
			})
		})
	}
}

// TestMaxSpoolBytes has bodies kept, of which one more is too much; those of programs
// that have ended are no longer kept.
func TestMaxSpoolBytes(t *testing.T) {
	dir := scripts(t, map[string]string{"waits": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nhead -c 1\n" +
		"while [ ! -e \"$GO\" ]; do sleep 0.01; done\nwc -c\n"})
	for name, memory := range map[string]int64{"memory": 0, "files": -1} {
		t.Run(name, func(t *testing.T) {
			proceed := ""
			each(t, func(t *testing.T) cgi.Config {
				proceed = filepath.Join(t.TempDir(), "go")
				return cgi.Config{Dir: dir, Env: []string{"GO=" + proceed}, TempDir: t.TempDir(), SpoolMemoryBytes: memory, MaxSpoolBytes: 25_000}
			}, func(t *testing.T, s *enginetest.Server) {
				post := func(n int) *http.Request {
					return request(t, s, "POST", "/cgi/waits", strings.NewReader(strings.Repeat("x", n)))
				}
				var held []*http.Response
				for range 2 {
					res, err := s.Client.Do(post(10_000))
					if err != nil {
						t.Fatal(err)
					}
					defer res.Body.Close()
					held = append(held, res) // its program has written, and waits
				}
				if a := do(t, s, post(10_000)); a.StatusCode != 503 {
					t.Errorf("one more: %d %q", a.StatusCode, a.body)
				}
				write(t, proceed, "", 0o600)
				for _, res := range held {
					if text, err := io.ReadAll(res.Body); strings.TrimSpace(string(text)) != "x9999" || err != nil {
						t.Errorf("%q, %v", text, err)
					}
				}
				if a := do(t, s, post(25_000)); a.StatusCode != 200 || strings.TrimSpace(a.body) != "x24999" {
					t.Errorf("afterwards: %d %q", a.StatusCode, a.body)
				}
			})
		})
	}
}

// A client that uploads slowly holds no worker, and one whose path names nothing need not
// send its body.
func TestUploadsHoldNoWorker(t *testing.T) {
	dir := scripts(t, map[string]string{"ok": hello})
	each(t, func(t *testing.T) cgi.Config {
		return cgi.Config{Dir: dir, Class: class(t, executor.ClassConfig{Workers: 1, QueueJobs: -1}), Blocking: class(t, executor.ClassConfig{Workers: 1})}
	}, func(t *testing.T, s *enginetest.Server) {
		for range 3 {
			c, err := net.Dial("tcp", s.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprint(c, "POST /cgi/ok HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
		}
		if a := get(t, s, "/cgi/ok"); a.StatusCode != 200 {
			t.Errorf("%d %q", a.StatusCode, a.body)
		}
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(longtest.Patience))
		fmt.Fprint(c, "POST /cgi/none HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
		if line, _ := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, " 404 ") {
			t.Errorf("%q", line)
		}
	})
}
