//go:build unix

package nethttp

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
)

// TestCapRises has descriptors run out for a while: the cap that follows the limit of
// open files is lower then, and as high as before afterwards.
func TestCapRises(t *testing.T) {
	const childVariable = "NETHTTP_TEST_CHILD"
	if os.Getenv(childVariable) == "" { // the limit is for a process of its own
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), childVariable+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Fatalf("child: %v\n%s", err, out)
		}
		return
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 200, Max: 200}); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 100)
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		select {
		case said <- string(p):
		default:
		}
		return len(p), nil
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv, err := NewServer(Config{Handler: asgi.Coroutine(noContent), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }() // ends below
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	ask := func() (net.Conn, string) { return ask(t, addr) }
	first, _ := ask() // the server is running
	_ = first.Close()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	var held []int
	for {
		extra, err := syscall.Dup(fd)
		if err != nil {
			break
		}
		held = append(held, extra)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: addr.(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(time.Minute)
	for ranOut := false; !ranOut; {
		select {
		case line := <-said:
			ranOut = strings.Contains(line, syscall.EMFILE.Error())
		case <-deadline:
			t.Fatal("descriptors did not run out")
		}
	}
	for _, extra := range held {
		_ = syscall.Close(extra)
	}
	for kept, until := 0, time.Now().Add(time.Minute); kept < 30; {
		if c, got := ask(); got == "HTTP/1.1 204" {
			kept++
		} else if _ = c.Close(); time.Now().After(until) {
			t.Fatalf("%d connections, then they are refused", kept)
		}
	}
}

// writerFunc is a writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
