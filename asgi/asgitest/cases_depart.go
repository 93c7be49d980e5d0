package asgitest

import (
	"fmt"
	"io"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// departCases are about clients that leave while nothing of them is read: because
// the application does not receive, or because a next request waits for its turn.
var departCases = []testCase{
	{
		name:   "depart/01 while a request waits for its answer",
		clause: "http.disconnect: sent when a client disconnects, also if a part of a next request came before",
		link:   specDisconnect,
		run: departures{
			open:  func(w *wire, path string) { w.request("GET " + path) },
			steps: []step{emptyRequest(), signal("there"), idle()},
			more:  []string{"", "G", "\r\n", requestHead("GET /next"), strings.Repeat("\r\n", 10_000)},
		}.run,
	},
	{
		name:   "depart/02 while a request is not received",
		clause: "http.disconnect: cancels the context of an application that does something else",
		link:   specDisconnect,
		run: departures{
			open:  func(w *wire, path string) { w.request("GET " + path) },
			steps: []step{signal("there"), idle()},
			more:  []string{"", "G", "\r\n"},
		}.run,
	},
	{
		name:   "depart/03 while a response is not read",
		clause: "http.disconnect: ends the wait of send",
		link:   specDisconnect,
		run: departures{
			open:  func(w *wire, path string) { w.request("GET " + path); w.head() },
			steps: []step{emptyRequest(), signal("there"), send(start(200)), floodStep{more(large), 100_000, wantGone}},
			more:  []string{"", "G", "\r\n"},
		}.run,
	},
	{
		name:   "depart/04 while a body is not received",
		clause: "http.disconnect: a body that the application does not take does not hide it",
		link:   specDisconnect,
		waits:  true,
		run: departures{
			open: func(w *wire, path string) {
				w.request("POST "+path, "Content-Length: 100000")
				w.write("begins")
			},
			steps: []step{requestPart("begins"), signal("there"), idle()},
			more:  []string{"", "x", strings.Repeat("x", 50_000), strings.Repeat("x", 99_994) + "\r\n"},
		}.run,
	},
	{
		name:   "depart/05 while a handshake waits for its answer",
		clause: "websocket.disconnect: also of a client that sends more before it is accepted",
		link:   specWSDisconnect,
		waits:  true,
		run: departures{
			open:  func(w *wire, path string) { w.write(handshake(path)) },
			steps: []step{connected(), signal("there"), idle()},
			more:  []string{"", frame(fin|opText, "hello"), "\r\n"},
		}.run,
	},
	{
		name:   "depart/06 while messages are not received",
		clause: "websocket.disconnect: messages that the application does not take do not hide it",
		link:   specWSDisconnect,
		waits:  true,
		run: departures{
			open:  func(w *wire, path string) { w.upgrade(path) },
			steps: accepted(signal("there"), idle()),
			more:  []string{"", frame(fin|opText, "hello"), strings.Repeat(frame(fin|opText, "hello"), 10_000)},
		}.run,
	},
	{
		name:   "depart/07 while messages are not read",
		clause: "websocket.disconnect: ends the wait of send",
		link:   specWSDisconnect,
		waits:  true,
		run: departures{
			open:  func(w *wire, path string) { w.upgrade(path); w.readFrame() },
			steps: accepted(signal("there"), floodStep{sendBinary(large), 100_000, wantGone}),
			more:  []string{"", frame(fin|opText, "hello")},
		}.run,
	},
	{
		name:   "depart/10 what was sent before is received",
		clause: "decision: a client that leaves has what it sent delivered to an application that takes it in time",
		link:   specDisconnect,
		run: func(s *session) {
			body := strings.Repeat("x", 200_000)
			messages := accepted(wait("left"))
			for range 100 {
				messages = append(messages, textMessage("hello"))
			}
			s.serveWith(Setup{Departs: true, DepartTimeout: waitLimit},
				on("/", requestPart("x"), signal("begun"), wait("left"), request(body[1:]), disconnected()),
				on("/ws", append(messages, gone())...))
			w := s.dial()
			w.request("POST /", fmt.Sprint("Content-Length: ", len(body)))
			w.write("x")
			s.wait("begun")
			w.write(body[1:])
			w.closeWrite()
			ws := s.dial()
			ws.upgrade("/ws")
			ws.write(strings.Repeat(frame(fin|opText, "hello"), 100))
			ws.closeWrite()
			s.signal("left")
			s.wait(endOf("/"))
			s.wait(endOf("/ws"))
			w.drained()
			ws.drained()
		},
	},
}

// large is a part of what is not read.
var large = strings.Repeat("x", 64<<10)

// departures is a state in which clients leave: by the end of their stream, after
// each of more, and by a reset after it. They are there when open has returned and
// the steps of the application have given the signal "there".
type departures struct {
	open  func(w *wire, path string)
	steps []step
	more  []string
}

// run leaves in every way, and waits until the application has ended, which would
// otherwise wait for ever, and the server has closed the connection.
func (d departures) run(s *session) {
	var scripts []script
	for i := range 2 * len(d.more) {
		path := fmt.Sprint("/", i)
		steps := append([]step(nil), d.steps...)
		for n, st := range steps {
			if _, ok := st.(doStep); ok {
				steps[n] = signal("there " + path)
			}
		}
		scripts = append(scripts, script{path, steps})
	}
	s.serveWith(Setup{Departs: true, DepartTimeout: departTimeout, CloseTimeout: departTimeout}, scripts...)
	for i, sc := range scripts {
		w := s.dial()
		d.open(w, sc.on)
		s.wait("there " + sc.on)
		w.write(d.more[i/2])
		if i%2 == 1 {
			w.abort()
			s.wait(endOf(sc.on))
			continue
		}
		w.closeWrite()
		s.wait(endOf(sc.on))
		w.drained()
	}
}

// drained reads until the server has closed the connection.
func (w *wire) drained() {
	w.tb.Helper()
	if _, err := io.Copy(io.Discard, w.r); err != nil && isTimeout(err) {
		w.tb.Errorf("client: the connection is still open")
	}
	w.conn.Close()
}

// idle waits for the end of the exchange, without receiving.
func idle() step { return idleStep{} }

// idleStep is what idle is, in either form.
type idleStep struct{}

func (idleStep) step() {}

// play waits for the end of the context.
func (idleStep) play(c call) {
	_, _ = asgi.Await(c.ctx, func(func(struct{}, error)) {})
}
