package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/asgi/asgitest"
)

// logged is a server whose log goes to a pipe.
type logged struct {
	*process
	log *os.File // the reader's end
}

// serveLogged starts a server that logs to a pipe of 4 KiB, which nobody reads.
// Before the server says where it listens, start gets the reader's end.
func serveLogged(t *testing.T, start func(reader *os.File), args ...string) *logged {
	t.Helper()
	asgitest.CheckLeaks(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	if _, err := unix.FcntlInt(writer.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, nil, append(args, "--addr", "127.0.0.1:0", "--access-log", "on")...)
	cmd.Stderr = writer
	p := startProcess(t, cmd)
	_ = writer.Close()
	start(reader)
	p.url = p.waitLog(urlPattern)
	return &logged{process: p, log: reader}
}

// ask makes n requests, each of which leaves a line of more than 8 KiB in the access
// log, and needs an answer to every one.
func (p *logged) ask(n int) {
	p.t.Helper()
	client := &http.Client{Timeout: waitLimit}
	defer client.CloseIdleConnections()
	for range n {
		r, err := client.Get(p.url + "/" + strings.Repeat("a", 8<<10))
		if err != nil {
			p.t.Fatal(errors.Unwrap(err)) // without the address
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
}

var serving = [][]string{
	{"serve", "--engine", "loop", "--anonymous", "all"},
	{"serve", "--engine", "nethttp", "--anonymous", "all"},
	{"demo", "--engine", "loop", "--log-format", "json"},
	{"conform", "--engine", "nethttp"},
}

// TestLogReaderLeaves ends the reader of the log: the server goes on, says so where
// somebody may still read, and ends in good order.
func TestLogReaderLeaves(t *testing.T) {
	for _, args := range serving {
		t.Run(strings.Join(args[:3], " "), func(t *testing.T) {
			p := serveLogged(t, func(reader *os.File) { _ = reader.Close() }, args...)
			p.ask(3)
			p.waitLog(regexp.MustCompile("stdout: gale: the log is lost: .*broken pipe"))
			p.ask(3)
			p.signal(syscall.SIGTERM)
			if code := p.wait(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestLogIsNotRead leaves the log unread until more has been logged than the pipe
// and the sink hold: every request is answered, and a reader who comes late learns
// how much is missing.
func TestLogIsNotRead(t *testing.T) {
	for _, args := range serving[:2] {
		t.Run(strings.Join(args[:3], " "), func(t *testing.T) {
			p := serveLogged(t, func(*os.File) {}, args...)
			p.ask(300) // 2.4 MiB
			told := make(chan bool, 1)
			go func() { // ends with the pipe, which the server's end ends
				lines := bufio.NewReaderSize(p.log, 64<<10)
				found := false
				for {
					line, err := lines.ReadString('\n')
					if strings.Contains(line, "lines of the log were dropped") {
						told <- true
						found = true
					}
					if err != nil {
						if !found {
							told <- false
						}
						return
					}
				}
			}()
			select {
			case ok := <-told:
				if !ok {
					t.Error("the log does not tell what is missing")
				}
			case <-time.After(waitLimit):
				t.Error("the log does not go on")
			}
			p.signal(syscall.SIGTERM)
			if code := p.wait(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestSignalsWhileOutputBlocks has nobody read anything: one signal drains and ends
// the program, a second one ends it at once.
func TestSignalsWhileOutputBlocks(t *testing.T) {
	for _, args := range serving[:2] {
		t.Run(strings.Join(args[:3], " "), func(t *testing.T) {
			p := serveLogged(t, func(*os.File) {}, args...)
			p.ask(20)
			p.signal(syscall.SIGTERM)
			if code := p.wait(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run("twice, "+engine, func(t *testing.T) {
			p := serveLogged(t, func(*os.File) {}, "conform", "--engine", engine, "--drain-timeout", "1h")
			p.ask(20)
			idle := p.idleConn()
			ended := p.upload()
			p.signal(syscall.SIGTERM)
			if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("an idle connection ended with %v", err)
			}
			p.signal(syscall.SIGTERM)
			if code := p.wait(); code != exitFailure {
				t.Errorf("exit code %d", code)
			}
			<-ended
		})
	}
}

// idleConn returns a connection that has had one request, and ends when the server
// drains.
func (p *logged) idleConn() net.Conn {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(waitLimit))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		p.t.Fatal(err)
	}
	answer := bufio.NewReader(conn)
	r, err := http.ReadResponse(answer, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// upload sends a body that does not end before the server does, and so holds up its
// drain. It returns once the server has begun to take it.
func (p *logged) upload() (ended <-chan struct{}) {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
	const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\nExpect: 100-continue\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		p.t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, "100") {
		p.t.Fatal(line, err)
	}
	done := make(chan struct{})
	go func() { // ends with the server, which the test ends
		defer close(done)
		defer conn.Close()
		for range time.Tick(50 * time.Millisecond) { // ten times the least rate of a body
			if _, err := conn.Write(make([]byte, 120)); err != nil {
				return
			}
		}
	}()
	return done
}

// TestReaderOfHelpLeaves ends with the signal, as every filter does.
func TestReaderOfHelpLeaves(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	defer writer.Close()
	cmd := command(t, nil, "--help")
	cmd.Stdout = writer
	err = cmd.Run()
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE {
		t.Errorf("ended with %v", err)
	}
}
