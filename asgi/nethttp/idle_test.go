package nethttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gale-server/gale/internal/longtest"
)

// deadlineConn notes its read deadline.
type deadlineConn struct {
	net.Conn
	deadline time.Time
	sets     int
}

func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	c.deadline = t
	c.sets++
	return nil
}

// A connection that takes a request at the moment of its interruption goes on
// without a deadline, and is not interrupted again.
func TestInterruptRacesRequest(t *testing.T) {
	var c idleConns
	busy, taken, left := &deadlineConn{}, &deadlineConn{}, &deadlineConn{}
	for _, conn := range []*deadlineConn{busy, taken, left} {
		c.note(conn, http.StateNew)
	}
	c.note(busy, http.StateActive)
	gone := c.interrupt()
	if busy.sets != 0 || taken.deadline.IsZero() || left.deadline.IsZero() {
		t.Fatal("the wrong ones are interrupted")
	}
	c.note(taken, http.StateActive)
	c.note(taken, http.StateClosed)
	select {
	case <-gone:
		t.Fatal("one is left")
	default:
	}
	c.note(left, http.StateClosed)
	<-gone
	if !taken.deadline.IsZero() {
		t.Error("the request's body has no time")
	}
	if left.deadline.IsZero() {
		t.Error("a closed connection is given time")
	}
	c.end(context.Background()) // nothing is left
}

// An interruption that net/http's own deadline undoes is repeated.
func TestInterruptAgain(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	var c idleConns
	c.note(server, http.StateIdle)
	if c.interrupt() == nil {
		t.Fatal("nothing to interrupt")
	}
	_ = server.SetReadDeadline(time.Now().Add(time.Hour))
	go func() { // ends with the second interruption
		_, _ = io.ReadAll(server)
		c.note(server, http.StateClosed)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), longtest.Patience)
	defer cancel()
	if c.end(ctx); ctx.Err() != nil {
		t.Error("the connection was never interrupted again")
	}
}

// A connection on which a request has begun to arrive is left alone until that
// has been served.
func TestInterruptSparesRequests(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	seen := &deadlineConn{Conn: server}
	conn := &watchedConn{Conn: seen}
	var c idleConns
	c.note(conn, http.StateNew)
	go client.Write([]byte("G")) // ends with the read
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	gone := c.interrupt()
	if seen.sets != 0 {
		t.Fatal("interrupted in the middle of a head")
	}
	c.note(conn, http.StateActive)
	<-gone
	c.note(conn, http.StateIdle)
	if c.interrupt(); seen.deadline.IsZero() {
		t.Error("an idle connection is not interrupted")
	}
}

// What a connection can do beyond net.Conn is not lost.
func TestWatchedConn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := roomListener{l, newRoom(Config{MaxConns: 10}, false)}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	conn := watchedOf(accepted)
	if err := errors.Join(conn.SetLinger(0), conn.CloseWrite()); err != nil {
		t.Error(err)
	}
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	pipe, _ := net.Pipe()
	bare := watchedOf(pipe)
	if bare.SetLinger(0) == nil || bare.CloseWrite() == nil {
		t.Error("a pipe can do what it cannot")
	}
}

// Connections that wait for a request are closed at once, in no time at all.
func TestDrainClosesIdle(t *testing.T) {
	inBubble(t, answersAll, func(b *bubble) {
		answered, fresh := b.dial(true), b.dial(true)
		answered.send(getText)
		b.stop()
		if got := answered.came() + ", " + fresh.came(); got != "200 closed, closed" {
			t.Errorf("got %s", got)
		}
	})
}
