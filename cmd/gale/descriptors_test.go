package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// withFiles has the program run with a limit of open files.
func withFiles(limit int, cmd *exec.Cmd) *exec.Cmd {
	shell := exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, limit), "sh"}, cmd.Args...)...)
	shell.Env = cmd.Env
	return shell
}

// keptConn is a connection with a request that was answered; with 503, it is closed.
type keptConn struct {
	net.Conn
	status int
}

func (p *process) keep() keptConn {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(waitLimit))
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") // one that is refused may be closed
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	if r.StatusCode == http.StatusServiceUnavailable {
		_ = conn.Close()
	}
	return keptConn{conn, r.StatusCode}
}

// TestLimitOfFiles fills servers whose limit of open files is low: they have most of it
// for connections, answer the next ones with 503, and take others when there is room.
func TestLimitOfFiles(t *testing.T) {
	for _, args := range []string{
		"conform --engine loop",
		"conform --engine nethttp",
		"demo --engine loop --images process",
		"serve --engine nethttp --anonymous all",
	} {
		for _, limit := range []int{64, 200} {
			t.Run(fmt.Sprint(args, ", ", limit), func(t *testing.T) {
				cmd := command(t, nil, strings.Fields(args+" --addr 127.0.0.1:0")...)
				p := serveCommand(t, withFiles(limit, cmd))
				var kept []keptConn
				for {
					conn := p.keep()
					if conn.status == http.StatusServiceUnavailable {
						break
					}
					kept = append(kept, conn)
					if len(kept) == limit {
						t.Fatal("there is no cap")
					}
				}
				t.Logf("%d connections", len(kept))
				if len(kept) < limit-50 {
					t.Errorf("only %d connections", len(kept))
				}
				for range 40 {
					if conn := p.keep(); conn.status != http.StatusServiceUnavailable {
						t.Fatalf("status %d above the cap", conn.status)
					}
				}
				for _, conn := range kept {
					_ = conn.Close()
				}
				conn := p.keep()
				for deadline := time.Now().Add(waitLimit); conn.status == http.StatusServiceUnavailable; conn = p.keep() {
					if time.Now().After(deadline) {
						t.Fatal("no room when all have left")
					}
				}
				_ = conn.Close()
				if strings.Contains(p.log.String(), "accepting pauses") {
					t.Error("descriptors ran out")
				}
				p.signal(syscall.SIGTERM)
				if code := p.wait(); code != exitOK {
					t.Errorf("exit code %d", code)
				}
			})
		}
	}
}

// TestNoRoomForConnections has so few descriptors that the program cannot serve: it
// says so at once.
func TestNoRoomForConnections(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		for limit := 12; limit <= 24; limit += 4 {
			cmd := withFiles(limit, command(t, nil, "conform", "--engine", engine, "--addr", "127.0.0.1:0"))
			said := new(strings.Builder)
			cmd.Stderr = said
			stop := time.AfterFunc(waitLimit, func() { _ = cmd.Process.Kill() })
			err := cmd.Run()
			stop.Stop()
			if cmd.ProcessState.ExitCode() <= 0 || !regexp.MustCompile("(?i)open files|too many files").MatchString(said.String()) {
				t.Errorf("%s, %d files: %v, said %q", engine, limit, err, said)
			}
		}
	}
}
