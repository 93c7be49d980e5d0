package cgi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// alive reports whether a process runs. One that has ended may wait for somebody to
// reap it; if it is not ours, that is not us.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && runtime.GOOS != "linux"
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// gone waits until a process has ended.
func gone(t testing.TB, pid int) {
	t.Helper()
	limit := time.Now().Add(longtest.Patience)
	for alive(pid) {
		if time.Now().After(limit) {
			t.Fatalf("process %d lives on", pid)
		}
		time.Sleep(time.Millisecond) // the end of a process that is not our child gives no signal
	}
}

// numberIn waits for a file with a number: of a process, or what that counts.
func numberIn(t testing.TB, file string) int {
	t.Helper()
	limit := time.Now().Add(longtest.Patience)
	for {
		text, _ := os.ReadFile(file)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && strings.HasSuffix(string(text), "\n") {
			return pid
		}
		if time.Now().After(limit) {
			t.Fatalf("no number in %s", file)
		}
		time.Sleep(time.Millisecond)
	}
}

// hostile are programs that do not what they should. Each writes its number to $PIDS.
const note = "#!/bin/sh\necho $$ >\"$PIDS/$(basename \"$0\")\"\n"

const begin = "printf 'Content-Type: text/plain\\n\\nbegin\\n'\n"

func hostile(t testing.TB) string {
	return scripts(t, map[string]string{
		"ok":         hello,
		"hangs":      note + "sleep 1000\n",
		"half":       note + "printf 'Content-Type: text/plain\\nX-Half'\nsleep 1000\n",
		"dribbles":   note + "while :; do printf 'X-A: b\\n'; sleep 0.01; done\n",
		"stops":      note + begin + "sleep 1000\n",
		"deaf":       note + "trap '' TERM\n" + begin + "while :; do sleep 1000; done\n",
		"floods":     note + begin + "cat /dev/zero\n",
		"floodshead": note + "cat /dev/zero\n",
		"floodserr":  note + "head -c 10000000 /dev/zero | tr '\\0' 'x' >&2\n" + begin,
		"errlines":   note + "echo one >&2; printf 'two\\r\\n' >&2; printf three >&2\n" + begin,
		"closes":     note + begin + "exec >&-\nsleep 1000\n",
		"detaches":   note + begin + "setsid sh -c 'echo $$ >\"$PIDS/child\"; exec sleep 1000' &\nwhile [ ! -s \"$PIDS/child\" ]; do sleep 0.01; done\n",
		"group":      note + begin + "sleep 1000 &\necho $! >\"$PIDS/child\"\n",
		"talks":      note + begin + "setsid sh -c 'echo $$ >\"$PIDS/child\"; while echo more; do :; done' &\nwhile [ ! -s \"$PIDS/child\" ]; do sleep 0.01; done\n",
		"malformed":  note + "echo none; echo\nsleep 1000\n",
		"leaves":     note + "exec </dev/null\n" + begin,
	})
}

// hostileServer serves them with short times.
func hostileServer(t *testing.T, change func(*cgi.Config), test func(t *testing.T, s *enginetest.Server, pids string, lines *log)) {
	dir, pids, lines := hostile(t), "", &log{}
	each(t, func(t *testing.T) cgi.Config {
		pids = t.TempDir()
		c := cgi.Config{Dir: dir, Env: []string{"PIDS=" + pids}, Logger: lines.logger(), KillGrace: 50 * time.Millisecond}
		change(&c)
		return c
	}, func(t *testing.T, s *enginetest.Server) { test(t, s, pids, lines) })
}

// A program that is late is ended. On a slow machine even its header may be late.
func TestDeadlines(t *testing.T) {
	hostileServer(t, func(c *cgi.Config) {
		c.HeaderTimeout, c.Timeout = 300*time.Millisecond, time.Second
		c.Class = class(t, executor.ClassConfig{Workers: 5})
	}, func(t *testing.T, s *enginetest.Server, pids string, lines *log) {
		var beside sync.WaitGroup
		for name, want := range map[string]string{
			"hangs": "504 whole", "half": "504 whole", "dribbles": "504 whole",
			"stops": "200 cut", "deaf": "200 cut",
		} {
			beside.Go(func() {
				t.Run(name, func(t *testing.T) {
					if got := outcome(get(t, s, "/cgi/"+name)); got != want && got != "504 whole" {
						t.Errorf("%s, want %s", got, want)
					}
				})
			})
		}
		beside.Wait()
		noneLeft(t, "PIDS="+pids)
	})
}

// A header that is none is answered for without waiting for the program's end.
func TestMalformed(t *testing.T) {
	hostileServer(t, func(*cgi.Config) {}, func(t *testing.T, s *enginetest.Server, pids string, lines *log) {
		for _, name := range []string{"malformed", "floodshead"} {
			if got := outcome(get(t, s, "/cgi/"+name)); got != "502 whole" {
				t.Errorf("%s: %s", name, got)
			}
			noneLeft(t, "PIDS="+pids)
		}
	})
}

// outcome is the status of an answer, and whether it was whole.
func outcome(a answer) string {
	if a.err != nil {
		return fmt.Sprint(a.StatusCode, " cut")
	}
	return fmt.Sprint(a.StatusCode, " whole")
}

// The program does not outlive its client.
func TestDisconnect(t *testing.T) {
	hostileServer(t, func(*cgi.Config) {}, func(t *testing.T, s *enginetest.Server, pids string, lines *log) {
		for _, name := range []string{"hangs", "half", "stops", "deaf", "floods"} {
			ctx, leave := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				res, err := s.Client.Do(request(t, s, "GET", "/cgi/"+name, nil).WithContext(ctx))
				if err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			}()
			pid := numberIn(t, filepath.Join(pids, name))
			leave()
			<-ended
			gone(t, pid)
		}
	})
}

// Nor does it outlive the handler, which waits for it.
func TestClose(t *testing.T) {
	for _, name := range []string{"hangs", "stops", "deaf", "floods"} {
		t.Run(name, func(t *testing.T) {
			dir, pids, h := hostile(t), "", (*cgi.Handler)(nil)
			enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
				pids = t.TempDir()
				var err error
				h, err = cgi.New(cgi.Config{Dir: dir, Class: class(t, executor.ClassConfig{Workers: 2}), Env: []string{"PIDS=" + pids},
					Logger: enginetest.Quiet, KillGrace: 50 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				return h
			}, func(t *testing.T, s *enginetest.Server) { closeUnder(t, s, h, name, pids) })
		})
	}
}

// closeUnder closes the handler while a program runs.
func closeUnder(t *testing.T, s *enginetest.Server, h *cgi.Handler, name, pids string) {
	begun, answered := make(chan struct{}), make(chan string, 1)
	go func() {
		res, err := s.Client.Get("http://" + s.Addr + "/" + name)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		if res.StatusCode == 200 {
			close(begun)
		}
		_, err = io.Copy(io.Discard, res.Body)
		answered <- fmt.Sprint(res.StatusCode, " ", err)
	}()
	pid := numberIn(t, filepath.Join(pids, name))
	want := "503 <nil>"
	if name != "hangs" {
		want = "200 unexpected EOF"
		<-begun
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("it lives after Close")
	}
	if got := <-answered; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if a := get(t, s, "/ok"); a.StatusCode != 503 {
		t.Errorf("after Close: %d", a.StatusCode)
	}
	_ = h.Close()
}

// A process that a program leaves behind does not hold the response.
func TestLeftBehind(t *testing.T) {
	hostileServer(t, func(*cgi.Config) {}, func(t *testing.T, s *enginetest.Server, pids string, lines *log) {
		for _, name := range []string{"closes", "detaches", "group", "talks"} {
			a := get(t, s, "/cgi/"+name)
			if a.StatusCode != 200 || !strings.HasPrefix(a.body, "begin\n") || a.err != nil && name != "talks" {
				t.Errorf("%s: %d %.100q %v", name, a.StatusCode, a.body, a.err)
			}
			gone(t, numberIn(t, filepath.Join(pids, name)))
			child := filepath.Join(pids, "child")
			switch name {
			case "group", "talks": // killed with its group; or its output is closed
				gone(t, numberIn(t, child))
			case "detaches":
				pid := numberIn(t, child)
				if !alive(pid) {
					t.Error("what has left the group was ended")
				}
				_ = syscall.Kill(pid, syscall.SIGKILL)
				gone(t, pid)
			}
			_ = os.Remove(child)
		}
	})
}

func TestStderr(t *testing.T) {
	hostileServer(t, func(c *cgi.Config) { c.MaxStderrBytes = 10_000 }, func(t *testing.T, s *enginetest.Server, pids string, lines *log) {
		for _, name := range []string{"floodserr", "errlines"} {
			if a := get(t, s, "/cgi/"+name); a.StatusCode != 200 || a.body != "begin\n" {
				t.Errorf("%s: %d %q", name, a.StatusCode, a.body)
			}
		}
		text := lines.String()
		for _, want := range []string{"script=/errlines line=one\n", "script=/errlines line=two\n", "script=/errlines line=three\n", "MaxStderrBytes)\" script=/floodserr"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in the log", want)
			}
		}
		if n := strings.Count(text, "x"); n > 2*10_000+1000 {
			t.Errorf("%d bytes are logged", n)
		}
	})
}

func TestOutputLimits(t *testing.T) {
	hostileServer(t, func(c *cgi.Config) { c.MaxOutputBytes, c.MaxHeadBytes = 1_000_000, 1000 }, func(t *testing.T, s *enginetest.Server, pids string, lines *log) {
		a := get(t, s, "/cgi/floods")
		if a.StatusCode != 200 || a.err == nil || len(a.body) > 1_000_000 {
			t.Errorf("floods: %d, %d bytes, %v", a.StatusCode, len(a.body), a.err)
		}
		gone(t, numberIn(t, filepath.Join(pids, "floods")))
		if a := get(t, s, "/cgi/floodshead"); a.StatusCode != 502 {
			t.Errorf("floodshead: %d", a.StatusCode)
		}
	})
}

// A client that does not read makes the program wait.
func TestSlowReader(t *testing.T) {
	dir := scripts(t, map[string]string{"counts": `#!/usr/bin/env python3
import os, select
os.set_blocking(1, False)
os.write(1, b'Content-Type: text/plain\n\n')
n = 0
def note(): open(os.environ['COUNT'], 'w').write('%d\n' % n)
while n < 64 << 20:
  if select.select([], [1], [], 0.3)[1]: n += os.write(1, b'x' * min(65536, (64 << 20) - n))
  else: note() # nobody has read for a while
note()
`})
	need(t, "python3")
	count := ""
	each(t, func(t *testing.T) cgi.Config {
		count = filepath.Join(t.TempDir(), "count")
		return cgi.Config{Dir: dir, Env: []string{"COUNT=" + count}, KillGrace: 50 * time.Millisecond}
	}, func(t *testing.T, s *enginetest.Server) {
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(longtest.Patience))
		fmt.Fprint(c, "GET /cgi/counts HTTP/1.1\r\nHost: h\r\n\r\n")
		in := bufio.NewReader(c)
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if n := numberIn(t, count); n >= 48<<20 {
			t.Errorf("the program has written %d bytes that nobody has read", n)
		}
		res, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\n"), in)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, res.Body); n != 64<<20 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

func TestSaturated(t *testing.T) {
	dir, pids := hostile(t), ""
	each(t, func(t *testing.T) cgi.Config {
		pids = t.TempDir()
		return cgi.Config{Dir: dir, Env: []string{"PIDS=" + pids}, KillGrace: 50 * time.Millisecond,
			Class: class(t, executor.ClassConfig{Workers: 1, QueueJobs: -1, ClientJobs: -1})}
	}, func(t *testing.T, s *enginetest.Server) {
		ctx, leave := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if res, err := s.Client.Do(request(t, s, "GET", "/cgi/hangs", nil).WithContext(ctx)); err == nil {
				_ = res.Body.Close()
			}
		}()
		pid := numberIn(t, filepath.Join(pids, "hangs"))
		a := get(t, s, "/cgi/ok")
		if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
		leave()
		<-ended
		gone(t, pid)
	})
}

// One client does not take all programs: it has at most ClientJobs, and others are served.
func TestClientJobs(t *testing.T) {
	dir, pids := hostile(t), ""
	each(t, func(t *testing.T) cgi.Config {
		pids = t.TempDir()
		return cgi.Config{Dir: dir, Env: []string{"PIDS=" + pids}, KillGrace: 50 * time.Millisecond,
			Class: class(t, executor.ClassConfig{Workers: 3, QueueJobs: 1, ClientJobs: 2})}
	}, func(t *testing.T, s *enginetest.Server) {
		ctx, leave := context.WithCancel(context.Background())
		var ended sync.WaitGroup
		for _, name := range []string{"hangs", "half"} {
			ended.Go(func() {
				if res, err := s.Client.Do(request(t, s, "GET", "/cgi/"+name, nil).WithContext(ctx)); err == nil {
					_ = res.Body.Close()
				}
			})
			numberIn(t, filepath.Join(pids, name))
		}
		for _, r := range []*http.Request{request(t, s, "GET", "/cgi/ok", nil), request(t, s, "POST", "/cgi/ok", strings.NewReader("body"))} {
			if a := do(t, s, r); a.StatusCode != 429 {
				t.Errorf("%s: %d %q", r.Method, a.StatusCode, a.body)
			}
		}
		if a := do(t, from(s, "127.0.0.2"), request(t, s, "GET", "/cgi/ok", nil)); a.StatusCode != 200 {
			t.Errorf("another client: %d %q", a.StatusCode, a.body)
		}
		leave()
		ended.Wait()
		noneLeft(t, "PIDS="+pids)
	})
}

// from is the server as clients of another address see it.
func from(s *enginetest.Server, address string) *enginetest.Server {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	other := *s
	other.Client = &http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}, Timeout: longtest.Patience}
	return &other
}

// The descriptors of the server are not the program's.
func TestDescriptors(t *testing.T) {
	need(t, "python3")
	dir := scripts(t, map[string]string{"fds": "#!/usr/bin/env python3\nimport os\nfds = []\nfor n in os.listdir('/proc/self/fd'):\n" +
		" try: fds.append(n + ' ' + os.readlink('/proc/self/fd/' + n).split(':')[0])\n except OSError: pass\n" +
		"print('Content-Type: text/plain\\n\\n' + '\\n'.join(sorted(fds)))\n"})
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("SKIPPED: no /proc")
	}
	each(t, func(t *testing.T) cgi.Config {
		inherited, err := syscall.Dup(1) // as a descriptor that this process was started with
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Close(inherited) })
		return cgi.Config{Dir: dir, SpoolMemoryBytes: 100, Limits: cgi.Limits{Files: 50}}
	}, func(t *testing.T, s *enginetest.Server) {
		if a := get(t, s, "/cgi/fds"); a.body != "0 /dev/null\n1 pipe\n2 pipe\n" {
			t.Errorf("%q", a.body)
		}
		if a := do(t, s, request(t, s, "POST", "/cgi/fds", strings.NewReader("x"))); a.body != "0 pipe\n1 pipe\n2 pipe\n" {
			t.Errorf("%q", a.body)
		}
		a := do(t, s, request(t, s, "POST", "/cgi/fds", strings.NewReader(strings.Repeat("x", 1000))))
		if lines := strings.Split(a.body, "\n"); len(lines) != 4 || !strings.Contains(lines[0], "gale-cgi-") {
			t.Errorf("%q", a.body)
		}
	})
}
