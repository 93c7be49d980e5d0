package static_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/static"
	"github.com/gale-server/gale/internal/longtest"
)

// secret is what no request may read.
const secret = "SECRET, outside of the root"

// trap makes a folder site with a secret beside it, and links that lead there.
func trap(t *testing.T) (dir string) {
	t.Helper()
	outside := folder(t, map[string]string{
		"secret.txt": secret, "index.html": secret,
		"site/index.html": "home", "site/a/b/index.html": "deep", "site/.env": secret, "site/.git/config": secret,
		"site/a/.hidden/x.txt": secret, "site/ok.txt": "ok",
	})
	dir = filepath.Join(outside, "site")
	link(t, "../secret.txt", filepath.Join(dir, "out.txt"))
	link(t, filepath.Join(outside, "secret.txt"), filepath.Join(dir, "absolute.txt"))
	link(t, "..", filepath.Join(dir, "up"))
	link(t, "a/../../secret.txt", filepath.Join(dir, "around.txt"))
	link(t, "loop", filepath.Join(dir, "loop"))
	link(t, "nowhere", filepath.Join(dir, "dangling"))
	link(t, "ok.txt", filepath.Join(dir, "inside.txt"))
	return dir
}

// Every spelling of a way out of the root, byte for byte as on the wire.
func TestTraversal(t *testing.T) {
	up := []string{
		"..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%25252e%25252e", "..%00", "%00..", "..;", "..;x=y", "%2e%2e;", "..%3b",
		"%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae%f0%80%80%ae", "%uff0e%uff0e", "%u002e%u002e", "%ef%bc%8e%ef%bc%8e", "....", ". .", "..%20", "%20..", "..%09", "..%0d%0a", "..%01", "..a/..",
	}
	slashes := []string{"/", "//", "%2f", "%2F", "%252f", "\\", "%5c", "%255c", "/./", "%c0%af", "%e0%80%af", "%ef%bc%8f", "/%00/", "%2f%2e%2f"}
	var targets []string
	places := []string{"/", "/a/", "/a/b/", "//", "/up/"}
	for i, u := range up {
		for k, s := range slashes {
			for _, from := range places {
				if from == places[(i+k)%len(places)] || longtest.On() {
					targets = append(targets, from+u+s+"secret.txt", from+strings.Repeat(u+s, 8)+"secret.txt")
				}
			}
		}
	}
	targets = append(targets,
		"/out.txt", "/absolute.txt", "/around.txt", "/up/secret.txt", "/up/", "/up", "/up/site/../secret.txt", "/loop", "/loop/", "/dangling", "/dangling/x",
		"/.env", "/%2eenv", "/%2Eenv", "/.git/config", "/%2egit/config", "/a/.hidden/x.txt", "/a/%2ehidden/x.txt", "/a//.hidden/x.txt", "/a/./.hidden/x.txt", "/.%2fenv",
		"/ok.txt%00.html", "/ok.txt%00", "/%00", "/ok.txt/../../secret.txt", "/a/b/../../../secret.txt", "/file:///etc/passwd", "/C:/windows/win.ini", "/%2fetc%2fpasswd", "/"+strings.Repeat("../", 100)+"etc/passwd",
		"/"+strings.Repeat("x", 255), "/"+strings.Repeat("x", 256), "/"+strings.Repeat("x", 5000), "/"+strings.Repeat("x/", 2047), "/"+strings.Repeat("x/", 5000), "/"+strings.Repeat("%2e%2e%2f", 1000),
		"/ok.txt?/../../secret.txt", "/ok.txt;../../secret.txt", "/proc/self/environ", "/dev/fd/3",
	)
	portable := false
	handler := func(t *testing.T) asgi.Handler {
		h := open(t, static.Config{Dir: trap(t), Listing: true, NotFound: "ok.txt"})
		if portable = !portable; portable { // one engine has this, the other that
			static.Portable(h)
		}
		return h
	}
	enginetest.Each(t, enginetest.Options{}, handler, func(t *testing.T, s *enginetest.Server) {
		for _, target := range targets {
			head, body := raw(t, s.Addr, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			status := strings.Fields(head + " none none")[1]
			if strings.Contains(body, secret) || strings.Contains(body, "root:") || strings.Contains(body, "secret.txt\"") {
				t.Errorf("%q: %s", target, body)
			}
			if !strings.Contains("200 301 400 404 414", status) {
				t.Errorf("%q: %s", target, head)
			}
		}
		for _, target := range []string{"/ok.txt", "/inside.txt", "/a/b/../../ok.txt", "/../../ok.txt", "/%2e%2e/ok.txt"} {
			if head, body := raw(t, s.Addr, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(head, "HTTP/1.1 200") || body != "ok" {
				t.Errorf("%q: %s %q", target, head, body)
			}
		}
	})
}

// raw writes a request and returns the head and the body of what comes back.
func raw(t *testing.T, addr, request string) (head, body string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, longtest.Patience)
	must(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(longtest.Patience))
	_, err = io.WriteString(conn, request)
	must(t, err)
	p, _ := io.ReadAll(conn)
	head, body, _ = strings.Cut(string(p), "\r\n\r\n")
	return head, body
}

// A name that is now a file inside and now a link to the outside is never followed out,
// whenever it changes between a look and an open.
func TestLinksMadeMeanwhile(t *testing.T) {
	t.Run("openat2", func(t *testing.T) { linksMadeMeanwhile(t, func(h *static.Handler) *static.Handler { return h }) })
	t.Run("os.Root", func(t *testing.T) { linksMadeMeanwhile(t, static.Portable) })
}

func linksMadeMeanwhile(t *testing.T, with func(*static.Handler) *static.Handler) {
	dir := trap(t)
	h := with(open(t, static.Config{Dir: dir, CheckInterval: -1}))
	stop := make(chan struct{})
	var flipping sync.WaitGroup
	flipping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			at := filepath.Join(dir, "flip")
			folderAt := filepath.Join(dir, "d")
			if i%2 == 0 {
				os.Symlink("../secret.txt", at+"~")
				os.Symlink("..", folderAt+"~")
			} else {
				os.WriteFile(at+"~", []byte("inside"), 0o644)
				os.Mkdir(folderAt+"~", 0o755)
				os.WriteFile(folderAt+"~/secret.txt", []byte("inside"), 0o644)
			}
			os.Rename(at+"~", at)
			os.RemoveAll(folderAt)
			os.Rename(folderAt+"~", folderAt)
		}
	})
	inside, other := 0, 0
	for range longtest.Count(500, 20_000) {
		for _, path := range []string{"/flip", "/d/secret.txt"} {
			switch r := get(t, h, path); {
			case r.Status == 200 && string(r.Body) == "inside":
				inside++
			case r.Status == 200 && len(r.Body) > 0:
				t.Fatalf("%s: %q", path, r.Body)
			default:
				other++
			}
		}
	}
	close(stop)
	flipping.Wait()
	t.Logf("%d answers with the file, %d without", inside, other)
}

// Names that would write fields of their own.
func TestHeaderInjection(t *testing.T) {
	files := map[string]string{
		"a\r\nset-cookie: x=y/index.html": "folder", "b\r\nset-cookie: x=y.txt": "file", "c\nset-cookie: x=y": "file", `d"; filename="evil.exe`: "file",
	}
	handler := func(t *testing.T) asgi.Handler {
		return open(t, static.Config{Dir: folder(t, files), Listing: true, Download: "download"})
	}
	enginetest.Each(t, enginetest.Options{}, handler, func(t *testing.T, s *enginetest.Server) {
		for _, target := range []string{
			"/a%0d%0aset-cookie:%20x=y", "/a%0d%0aset-cookie:%20x=y?q=%0d%0aset-cookie:x", "/b%0d%0aset-cookie:%20x=y.txt?download", "/c%0aset-cookie:%20x=y?download",
			"/d%22;%20filename=%22evil.exe?download", "/?download", "/nothing%0d%0aset-cookie:%20x=y",
		} {
			for _, method := range []string{"GET", "HEAD"} {
				head, _ := raw(t, s.Addr, method+" "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				for line := range strings.SplitSeq(head, "\r\n") {
					if strings.HasPrefix(strings.ToLower(line), "set-cookie") || strings.Contains(line, `filename="evil`) {
						t.Errorf("%s %s:\n%s", method, target, head)
					}
				}
				if head == "" {
					t.Errorf("%s %s: no answer", method, target)
				}
			}
		}
	})
}

// Requests that nobody waits for any more leave nothing behind.
func TestDepartures(t *testing.T) {
	handler := func(t *testing.T) asgi.Handler {
		return open(t, static.Config{Dir: folder(t, site), CheckInterval: -1})
	}
	enginetest.Each(t, enginetest.Options{}, handler, func(t *testing.T, s *enginetest.Server) {
		for i := range longtest.Count(100, 5000) {
			conn, err := net.Dial("tcp", s.Addr)
			must(t, err)
			fmt.Fprintf(conn, "GET /large.bin?%d HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9,20-60000,70000-80000\r\n\r\n", i)
			if i%3 == 0 {
				conn.Read(make([]byte, 100))
			}
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
		res, err := s.Client.Get("http://" + s.Addr + "/app.js")
		must(t, err)
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%d", res.StatusCode)
		}
	})
}

// A file that is cut while it is sent ends in a truncation that the client sees.
func TestFileCutWhileItIsSent(t *testing.T) {
	const size = 64 << 20 // more than all buffers on the way have room for
	for _, ranges := range []string{"", "bytes=5-", "bytes=0-9,100-60000000"} {
		var dir string
		handler := func(t *testing.T) asgi.Handler {
			dir = t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
			must(t, os.Truncate(filepath.Join(dir, "file"), size))
			return open(t, static.Config{Dir: dir})
		}
		t.Run(ranges, func(t *testing.T) {
			enginetest.Each(t, enginetest.Options{}, handler, func(t *testing.T, s *enginetest.Server) {
				conn, err := net.Dial("tcp", s.Addr)
				must(t, err)
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(longtest.Patience))
				request := "GET /file HTTP/1.1\r\nHost: x\r\n"
				if ranges != "" {
					request += "Range: " + ranges + "\r\n"
				}
				io.WriteString(conn, request+"\r\n")
				in := bufio.NewReader(conn)
				res, err := http.ReadResponse(in, nil)
				must(t, err)
				if res.StatusCode != 200 && res.StatusCode != 206 {
					t.Fatalf("%s", res.Status)
				}
				must(t, os.Truncate(filepath.Join(dir, "file"), 1<<20))
				n, err := io.Copy(io.Discard, res.Body)
				if err != io.ErrUnexpectedEOF || n >= res.ContentLength {
					t.Errorf("%d of %d bytes, and %v", n, res.ContentLength, err)
				}
			})
		})
	}
}

// A file that was cut since it was looked at is not sent as it was, and is looked at
// again.
func TestFileCutBeforeItIsSent(t *testing.T) {
	var dir string
	handler := func(t *testing.T) asgi.Handler {
		dir = folder(t, map[string]string{"file": strings.Repeat("x", 1000)})
		return open(t, static.Config{Dir: dir, MaxFileBytes: -1, CheckInterval: time.Hour})
	}
	enginetest.Each(t, enginetest.Options{}, handler, func(t *testing.T, s *enginetest.Server) {
		const request = "GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
		if _, body := raw(t, s.Addr, request); len(body) != 1000 {
			t.Fatalf("%d bytes", len(body))
		}
		must(t, os.Truncate(filepath.Join(dir, "file"), 10))
		if head, body := raw(t, s.Addr, request); strings.HasPrefix(head, "HTTP/1.1 200") {
			if strings.Contains(head, "1000") && len(body) == 1000 {
				t.Errorf("%s\n%q", head, body)
			}
		} else if !strings.HasPrefix(head, "HTTP/1.1 500") {
			t.Errorf("%s", head)
		}
		if head, body := raw(t, s.Addr, request); !strings.HasPrefix(head, "HTTP/1.1 200") || body != "xxxxxxxxxx" {
			t.Errorf("%s\n%q", head, body)
		}
	})
}
