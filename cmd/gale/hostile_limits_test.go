package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/cmd/internal/hostile"
	"github.com/gale-server/gale/cmd/internal/victim"
	"github.com/gale-server/gale/internal/longtest"
)

// TestHostilePosts floods mailboxes that take little: what posts is refused, and
// nothing that a client waits for is lost.
func TestHostilePosts(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			asgitest.CheckLeaks(t)
			v := startVictim(t, setup{Engine: engine, Mailbox: 64, File: largeFile(t)})
			witnesses := hostile.NewWitnesses(hostile.Target{Addr: v.addr}, 2, paths(victim.Forms)...)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var flood sync.WaitGroup
			a, err := hostile.Lookup("posts")
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				flood.Go(func() { // ends with ctx
					for ctx.Err() == nil {
						if err := a.Run(ctx, hostile.Target{Addr: v.addr, Path: "/event", Conns: 2, Times: 5}); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for range longtest.Count(2, 5) {
				v.get("/coroutine/await?n=100", "OK")
				v.get("/coroutine/large", "")
				v.get("/event/file", "")
				v.get("/goroutine/file", "")
			}
			if posted := v.get("/event/posts?n=20000", ""); strings.Contains(posted, " 0 ") {
				t.Errorf("of 20,000 posts to a mailbox of 64 none was refused: %s", posted)
			}
			cancel()
			flood.Wait()
			if err := witnesses.Stop(); err != nil {
				t.Error(err)
			}
			v.calm()
		})
	}
}

// get asks with a client of its own, and returns the answer; want is "" for any.
func (v *victimProcess) get(path, want string) string {
	v.t.Helper()
	client := http.Client{Timeout: waitLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + v.addr + path)
	if err != nil {
		v.t.Fatalf("%s: %v", path, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 || want != "" && string(body) != want {
		v.t.Fatalf("%s: %s, %d bytes %.50q, %v", path, r.Status, len(body), body, err)
	}
	return string(body[:min(len(body), 100)])
}

// TestHostileBlock has an application block one of two loops: the log says where
// it stands, and the other loop goes on.
func TestHostileBlock(t *testing.T) {
	asgitest.CheckLeaks(t)
	v := startVictim(t, setup{Engine: engineLoop})
	for form, where := range map[string]string{"event": `victim\.\(\*exchange\)\.begin`, "coroutine": `victim\.\(\*Victim\)\.run`} {
		blocked := make(chan error, 1)
		go func() { blocked <- ask(v.addr, "/"+form+"/block", "released") }() // ends with the release
		v.waitLog(regexp.MustCompile(`event loop is blocked.*` + where))
		// New connections go to both loops. Only the free one can answer.
		answered := make(chan error)
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				if err := ask(v.addr, "/"+form+"/release", ""); err != nil {
					answered <- err
				}
			})
		}
		go func() { asking.Wait(); close(answered) }() // ends with the last answer
		for err := range answered {
			t.Errorf("%s: %v", form, err)
		}
		if err := <-blocked; err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
	v.calm()
}

// ask is one request on a connection of its own.
func ask(addr, path, want string) error {
	client := http.Client{Timeout: waitLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + addr + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 || want != "" && string(body) != want {
		return fmt.Errorf("%s: %s, %.50q, %v", path, r.Status, body, err)
	}
	return nil
}

// TestHostileDescriptors has more clients than a server may have open files. On
// the loop those above its bound are told so; on net/http they wait. Who was
// there before is served on, and there is room again when they leave.
func TestHostileDescriptors(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			asgitest.CheckLeaks(t)
			v := startVictim(t, setup{Engine: engine, Files: 64})
			witnesses := hostile.NewWitnesses(hostile.Target{Addr: v.addr}, 1, paths(victim.Forms)...)
			for range longtest.Count(1, 2) {
				before := witnesses.Answers()
				leave := hold(t, v.addr, 150)
				witnesses.Await(before+40, waitLimit)
				if witnesses.Answers() < before+40 {
					t.Error("honest clients are not served on")
				}
				leave()
				a, err := hostile.Lookup("hoard")
				if err != nil {
					t.Fatal(err)
				}
				if err := a.Run(context.Background(), hostile.Target{Addr: v.addr, Path: "/event", Conns: 15}); err != nil {
					t.Error(err)
				}
			}
			if err := witnesses.Stop(); err != nil {
				t.Error(err)
			}
			v.calm()
		})
	}
}

// hold connects n times, and returns when each connection is open: in a queue of
// the kernel, if not in the server. leave drops them.
func hold(t *testing.T, addr string, n int) (leave func()) {
	t.Helper()
	var conns []net.Conn
	for range n {
		conn, err := net.DialTimeout("tcp", addr, waitLimit)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	return func() {
		for _, conn := range conns {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}
}
