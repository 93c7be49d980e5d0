package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/internal/longtest"
	gorilla "github.com/gorilla/websocket"
)

// drainTimeout is long enough for a busy machine, as what is left at its end
// fails the test. Half of it is waited for: WebSockets are closed in that time.
const drainTimeout = 20 * time.Second

// TestDrainUnderLoad stops the server in the middle of its work, on each engine.
// A request that the application sees is answered whole. One that it never sees
// gets not a single byte, so that its client knows that it may try again
// (https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2,
// https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1).
func TestDrainUnderLoad(t *testing.T) {
	var loads []*load
	for _, name := range []string{engineLoop, engineNetHTTP} {
		p := serveTarget(t, "--engine", name, "--drain-timeout", drainTimeout.String())
		loads = append(loads, newLoad(t, name, p))
	}
	for _, l := range loads {
		l.start()
	}
	for _, l := range loads {
		l.stop()
	}
	for _, l := range loads {
		l.check()
	}
}

func serveTarget(t testing.TB, args ...string) *process {
	t.Helper()
	return serveCommand(t, command(t, []string{runDrainTarget + "=1"}, args...))
}

// load is the clients of one server.
//
// Safe for concurrent use, but for start, stop and check, which come in this
// order.
type load struct {
	t       *testing.T
	engine  string
	p       *process
	addr    string
	working sync.WaitGroup
	told    chan struct{} // closed when the server is told to stop
	toldAt  time.Time     // set before told is closed

	mu       sync.Mutex
	outcomes map[string]outcome // of requests
	closes   []time.Duration    // from told to the close frames
	opened   []string           // WebSockets
	failures []string
	answered chan struct{} // a token for each answer, as far as there is room
}

// outcome is what a client has of its request: all, or an error after so many
// bytes.
type outcome struct {
	err   error
	bytes int
}

func newLoad(t *testing.T, engine string, p *process) *load {
	return &load{t: t, engine: engine, p: p, addr: strings.TrimPrefix(p.url, "http://"),
		told: make(chan struct{}), outcomes: map[string]outcome{}, answered: make(chan struct{}, 2000)}
}

// The numbers of clients of each kind.
const (
	quickClients  = 12
	burstClients  = 4
	newClients    = 2
	parkedClients = 5 // of each kind
	webSockets    = 40
	stubborn      = 3 // of each kind
)

// start starts the clients and returns when all of them are at work.
func (l *load) start() {
	for i := range webSockets {
		l.webSocket(fmt.Sprint("ws", i), i < 5)
	}
	for i := range parkedClients {
		for _, path := range []string{"/slow", "/poll", "/upload"} {
			l.parked(path, fmt.Sprint(path[1:], i))
			l.p.waitLog(regexp.MustCompile("parked " + fmt.Sprint(path[1:], i) + "\n"))
		}
		l.stream(fmt.Sprint("stream", i))
	}
	for i := range stubborn {
		l.idle("GET /fast HTTP/1.1\r\nHost: h", 0)                                   // half a head
		l.idle("", 0)                                                                // nothing
		l.idle(request("GET", "/fast", fmt.Sprint("idle", i)), 1)                    // an answer, and no close
		l.idle(strings.Replace(upgradeRequest, "ID", fmt.Sprint("mute", i), 1), 101) // no answer to our close
	}
	for i := range quickClients {
		l.work(func() { l.keepAlive(fmt.Sprint("quick", i), 1) })
	}
	for i := range burstClients {
		l.work(func() { l.keepAlive(fmt.Sprint("burst", i), 5) })
	}
	for i := range newClients {
		l.work(func() { l.anew(fmt.Sprint("new", i)) })
	}
	for range longtest.Count(300, 1000) {
		select {
		case <-l.answered:
		case <-time.After(waitLimit):
			l.t.Fatalf("%s: the clients get no answers: %v", l.engine, l.failures)
		}
	}
}

// stop has the server drain, until it and all clients have ended.
func (l *load) stop() {
	l.toldAt = time.Now()
	l.p.signal(syscall.SIGTERM)
	close(l.told)
}

func (l *load) check() {
	code := l.p.wait()
	l.working.Wait()
	if code != exitOK {
		l.t.Errorf("%s: exit status %d", l.engine, code)
	}
	for _, f := range l.failures {
		l.t.Errorf("%s: %s", l.engine, f)
	}
	said := l.p.log.String()
	if strings.Contains(said, "late ") || !strings.Contains(said, "stdout: shutdown\n") {
		l.t.Errorf("%s: lifespan.shutdown is not the last event", l.engine)
	}
	l.checkRequests(notesOf(said))
	l.checkWebSockets(said)
}

// notesOf returns the notes of the journal: "ID what".
func notesOf(said string) map[string]bool {
	notes := make(map[string]bool)
	for line := range strings.Lines(said) {
		if _, note, ok := strings.Cut(line, "note "); ok {
			notes[strings.TrimSuffix(note, "\n")] = true
		}
	}
	return notes
}

func (l *load) checkRequests(notes map[string]bool) {
	whole, untouched := 0, 0
	for id, got := range l.outcomes {
		seen := notes[id+" seen"]
		switch {
		case got.err == nil && seen:
			whole++
		case got.err != nil && !seen && got.bytes == 0:
			untouched++
		default:
			l.t.Errorf("%s: %s: seen %v, but the client has %d bytes and %v", l.engine, id, seen, got.bytes, got.err)
		}
	}
	for i := range parkedClients {
		for _, kind := range []string{"slow", "poll", "upload", "stream"} {
			id := fmt.Sprint(kind, i)
			if !notes[id+" drain"] || l.outcomes[id].err != nil {
				l.t.Errorf("%s: %s: no gale.drain, or no answer: %v", l.engine, id, l.outcomes[id])
			}
		}
	}
	l.t.Logf("%s: %d requests answered whole, %d not taken", l.engine, whole, untouched)
}

// checkWebSockets checks that every application hears of the drain before its
// close, and that the closes are spread: chance puts all of them into the first
// tenth of the window once in 10^40 runs, and a slow machine only spreads more.
func (l *load) checkWebSockets(said string) {
	for _, id := range l.opened {
		drain, end := strings.Index(said, "note "+id+" drain\n"), strings.Index(said, "note "+id+" end ")
		if drain < 0 || end < drain {
			l.t.Errorf("%s: %s: gale.drain at %d, the end at %d", l.engine, id, drain, end)
		}
	}
	if len(l.closes) != webSockets {
		l.t.Errorf("%s: %d of %d WebSockets are closed with 1012", l.engine, len(l.closes), webSockets)
		return
	}
	if last := slices.Max(l.closes); last < drainTimeout/2/10 {
		l.t.Errorf("%s: all WebSockets are closed within %v", l.engine, last)
	}
}

func (l *load) work(fn func()) { l.working.Go(fn) } // ends with the server

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, fmt.Sprintf(format, args...))
}

func (l *load) record(id string, got outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcomes[id] = got
	if got.err == nil {
		select {
		case l.answered <- struct{}{}:
		default:
		}
	}
}

// client is one connection.
type client struct {
	net.Conn
	r    *bufio.Reader
	read int
}

func (l *load) dial() (*client, error) {
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn}
	c.r = bufio.NewReader(c)
	return c, conn.SetDeadline(time.Now().Add(waitLimit))
}

func (l *load) mustDial() *client {
	l.t.Helper()
	c, err := l.dial()
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	return c
}

func (c *client) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read += n
	return n, err
}

func request(method, path, id string) string {
	return method + " " + path + "?" + id + " HTTP/1.1\r\nHost: h\r\n"
}

var upgradeRequest = request("GET", "/ws", "ID") + "Upgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// answer reads the response for id, which ends with its name.
func (c *client) answer(id string) (closes bool, got outcome) {
	before := c.read - c.r.Buffered()
	res, err := http.ReadResponse(c.r, nil)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(res.Body)
		if err == nil && (res.StatusCode != 200 || !strings.HasSuffix(string(body), id)) {
			err = fmt.Errorf("%s with %q", res.Status, body)
		}
		closes = res.Close
	}
	return closes, outcome{err: err, bytes: c.read - c.r.Buffered() - before}
}

// keepAlive sends so many requests at a time on one connection after another,
// until there is no server.
func (l *load) keepAlive(name string, burst int) {
	for n := 0; ; {
		c, err := l.dial()
		if err != nil {
			return
		}
		for open := true; open; {
			var text strings.Builder
			ids := make([]string, burst)
			for i := range ids {
				n++
				ids[i] = fmt.Sprint(name, "-", n)
				text.WriteString(request("GET", "/fast", ids[i]) + "\r\n")
			}
			// An error shows when the answer does not come: there may be one.
			_, _ = io.WriteString(c, text.String())
			for i, id := range ids {
				closes, got := c.answer(id)
				l.record(id, got)
				if closes || got.err != nil {
					open = false
					for _, id := range ids[i+1:] { // nothing comes after that
						l.record(id, outcome{err: errors.New("the connection has ended")})
					}
					break
				}
			}
		}
		c.Close()
	}
}

// anew makes a connection for each request.
func (l *load) anew(name string) {
	for n := 0; ; n++ {
		c, err := l.dial()
		if err != nil {
			return
		}
		id := fmt.Sprint(name, "-", n)
		_, _ = io.WriteString(c, request("GET", "/fast", id)+"Connection: close\r\n\r\n")
		_, got := c.answer(id)
		l.record(id, got)
		c.Close()
	}
}

// parked has a request under way that ends with the drain. The body of one that
// has a body comes after that.
func (l *load) parked(path, id string) {
	c := l.mustDial()
	text := request("GET", path, id) + "\r\n"
	if path == "/upload" {
		text = request("POST", path, id) + "Content-Length: 10\r\n\r\n12345"
	}
	if _, err := io.WriteString(c, text); err != nil {
		l.t.Fatal(err)
	}
	l.work(func() {
		if path == "/upload" {
			l.p.log.wait(regexp.MustCompile("told "+id+"\n"), l.p.exited)
			_, _ = io.WriteString(c, "67890")
		}
		closes, got := c.answer(id)
		l.record(id, got)
		if !closes {
			l.fail("%s: the response does not say that the connection closes", id)
		}
		c.Close()
	})
}

// stream reads a stream of events, whose response began before the drain.
func (l *load) stream(id string) {
	c := l.mustDial()
	if _, err := io.WriteString(c, request("GET", "/stream", id)+"\r\n"); err != nil {
		l.t.Fatal(err)
	}
	if head, err := c.r.Peek(1); err != nil {
		l.t.Fatal(head, err)
	}
	l.work(func() {
		_, got := c.answer(id)
		l.record(id, got)
		if n, err := c.r.Read(make([]byte, 1)); err != io.EOF {
			l.fail("%s: the stream is not followed by the end of the connection: %d, %v", id, n, err)
		}
		c.Close()
	})
}

// webSocket sends a message, or one after the other, until it is told to come
// back later.
func (l *load) webSocket(id string, chats bool) {
	ws, _, err := gorilla.DefaultDialer.Dial("ws://"+l.addr+"/ws?"+id, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(waitLimit))
	l.opened = append(l.opened, id)
	echo := func() error { return ws.WriteMessage(gorilla.TextMessage, []byte("echo")) }
	if err := echo(); err != nil {
		l.t.Fatal(err)
	}
	l.work(func() {
		told := false
		for {
			_, text, err := ws.ReadMessage()
			if err != nil {
				l.closed(id, told, err)
				return
			}
			if string(text) == "drain" {
				told = true
			} else if !told && chats {
				_ = echo() // an error shows when the answer does not come
			}
		}
	})
}

func (l *load) closed(id string, told bool, err error) {
	if !gorilla.IsCloseError(err, gorilla.CloseServiceRestart) || !told {
		l.fail("%s: told of the drain %v, closed with %v", id, told, err)
		return
	}
	<-l.told
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closes = append(l.closes, time.Since(l.toldAt))
}

// idle says something on a connection, reads an answer if one is due, and does
// nothing any more; above all it does not close.
func (l *load) idle(text string, answer int) {
	c := l.mustDial()
	if answer != 0 {
		text += "\r\n"
	}
	if _, err := io.WriteString(c, text); err != nil {
		l.t.Fatal(err)
	}
	if answer == 0 {
		return
	}
	if res, err := http.ReadResponse(c.r, nil); err != nil || res.StatusCode/100 != 2 && res.StatusCode != answer {
		l.t.Fatal(res, err)
	}
}

// A second signal ends the program at once, whatever is under way, and it says
// so.
func TestSecondSignal(t *testing.T) {
	for _, name := range []string{engineLoop, engineNetHTTP} {
		p := serveTarget(t, "--engine", name, "--drain-timeout", "1h")
		l := newLoad(t, name, p)
		l.idle(request("GET", "/poll", "poll")+"\r\n", 0)
		l.idle(request("GET", "/upload", "upload")+"Content-Length: 1\r\n\r\n", 0) // nothing ends it
		p.waitLog(regexp.MustCompile("parked upload"))
		p.signal(syscall.SIGTERM)
		p.waitLog(regexp.MustCompile("stopping"))
		p.signal(syscall.SIGTERM)
		if code := p.wait(); code != exitFailure {
			t.Errorf("%s: exit status %d", name, code)
		}
		if strings.Contains(p.log.String(), "shutdown") {
			t.Errorf("%s: the end was orderly", name)
		}
	}
}
