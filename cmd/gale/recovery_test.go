package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
	"github.com/gale-server/gale/internal/longtest"
)

// longest ends a run that hangs.
const longest = 5 * time.Minute

var recoveryChannels = []string{"a", "b", "c"}

// TestRecoveryEverywhere has subscribers follow channels over all transports, from
// one to another as chance has it, cut off by themselves, by servers that stop, and
// for being slow, while others publish. Each must see each message once and in
// order; in a history that is too short it may miss some, and must be told how many.
func TestRecoveryEverywhere(t *testing.T) {
	for name, options := range map[string]hub.Options{
		"long history":  {HistoryMessages: 1 << 20, HistoryBytes: 1 << 30, MaxLagBytes: 64 << 10},
		"short history": {HistoryMessages: 20, MaxLagBytes: 64 << 10, Slow: hub.SlowDropOldest},
	} {
		t.Run(name, func(t *testing.T) {
			asgitest.CheckLeaks(t)
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			h, err := hub.New(hub.Config{Channels: map[string]hub.Options{"": options}, MaxPublishBytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			w := &recoveryWorld{t: t, hub: h, mayMiss: options.HistoryMessages < 1000, dial: dialNarrow, done: make(chan struct{})}
			if w.cursors, err = cursor.New([]byte("a secret of at least thirty-two bytes")); err != nil {
				t.Fatal(err)
			}
			w.published = make(map[string][]string)
			w.moved = sync.NewCond(&w.mu)
			w.run(seed)
			t.Logf("%+v", h.Stats())
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// recoveryWorld is what everybody in the test shares.
type recoveryWorld struct {
	t       *testing.T
	hub     *hub.Hub
	cursors *cursor.Signer
	mayMiss bool
	steady  bool // nobody dawdles
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	done    chan struct{} // closed when all is published

	mu        sync.Mutex
	moved     *sync.Cond
	addr      string // of the server, "" between two
	published map[string][]string
	total     int
}

func (w *recoveryWorld) run(seed uint64) {
	const publishers, subscribers, restarts = 3, 9, 3
	stop := w.serve(0)
	var publishing, following sync.WaitGroup
	for i := range publishers {
		publishing.Go(func() { w.publish(rand.New(rand.NewPCG(seed, uint64(i))), i) })
	}
	for i := range subscribers {
		following.Go(func() { w.follow(rand.New(rand.NewPCG(seed, uint64(100+i))), i) })
	}
	for i := range restarts {
		w.await((i + 1) * w.messages() / (restarts + 1))
		stop()
		stop = w.serve(i + 1)
	}
	publishing.Wait()
	close(w.done)
	following.Wait()
	stop()
}

func (w *recoveryWorld) messages() int { return longtest.Count(450, 900) }

// await waits until so many messages are published.
func (w *recoveryWorld) await(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.total < n {
		w.moved.Wait()
	}
}

// serve starts a server, of another engine each time, and returns what stops it.
func (w *recoveryWorld) serve(n int) (stop func()) {
	anyone := hub.Anyone(hub.Everything)
	sockets, err := socket.New(socket.Config{Hub: w.hub, Authenticate: anyone})
	if err != nil {
		w.t.Fatal(err)
	}
	events, err := sse.New(sse.Config{Hub: w.hub, Authenticate: anyone, Cursors: w.cursors, Retry: -1})
	if err != nil {
		w.t.Fatal(err)
	}
	polls, err := longpoll.New(longpoll.Config{Hub: w.hub, Authenticate: anyone, Cursors: w.cursors})
	if err != nil {
		w.t.Fatal(err)
	}
	mux := new(handlers.Mux)
	mux.WebSocket("/ws", sockets)
	mux.HTTP("/sse", events)
	mux.HTTP("/poll", polls)
	var srv engine
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	const drain = 500 * time.Millisecond
	if n%2 == 0 {
		srv, err = server.New(server.Config{Handler: mux, Logger: quiet, DrainTimeout: drain, HalfClose: server.HalfCloseDisconnects})
	} else {
		srv, err = nethttp.NewServer(nethttp.Config{Handler: mux, Logger: quiet, DrainTimeout: drain})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }() // ends with ctx
	w.setAddr(addr.String())
	return func() {
		w.setAddr("")
		cancel()
		<-ended // an error if there were connections at the end, which the test is about
	}
}

func (w *recoveryWorld) setAddr(addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addr = addr
	w.moved.Broadcast()
}

// host waits for a server.
func (w *recoveryWorld) host() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.addr == "" {
		w.moved.Wait()
	}
	return w.addr
}

// publish publishes its share, in bursts, so that subscribers come and go meanwhile.
func (w *recoveryWorld) publish(r *rand.Rand, who int) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i, burst := 0, 0; i < w.messages()/3; i, burst = i+1, burst-1 {
		for burst <= 0 {
			<-tick.C
			burst = r.IntN(8)
		}
		channel := recoveryChannels[r.IntN(len(recoveryChannels))]
		text := fmt.Sprintf("%d/%d %s", who, i, strings.Repeat("x", r.IntN(1<<(6+r.IntN(11)))))
		w.publishOne(channel, text)
	}
}

func (w *recoveryWorld) publishOne(channel, text string) {
	receipt, err := w.hub.PublishOne(hub.Publication{Channel: channel, Data: []byte(text)})
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for uint64(len(w.published[channel])) < receipt.Offset {
		w.published[channel] = append(w.published[channel], "")
	}
	w.published[channel][receipt.Offset-1] = text
	w.total++
	w.moved.Broadcast()
}

// follower is one subscriber, and what it has seen.
type follower struct {
	w      *recoveryWorld
	r      *rand.Rand
	who    int
	places map[string]hub.Position
	seen   int
	gaps   int
	left   int // events until it leaves
	heard  int // seen, under the lock of the world
	client *http.Client
}

// follow follows until everything was seen.
func (w *recoveryWorld) follow(r *rand.Rand, who int) {
	f := &follower{w: w, r: r, who: who, places: make(map[string]hub.Position)}
	f.client = &http.Client{Transport: &http.Transport{DialContext: w.dial}, Timeout: waitLimit}
	defer f.client.CloseIdleConnections()
	over := time.Now().Add(longest)
	used := make(map[string]int)
	for !f.complete() && !w.t.Failed() {
		if time.Now().After(over) {
			w.t.Errorf("subscriber %d has not seen everything: it is at %v", who, f.places)
			return
		}
		transport := []string{"socket", "events", "poll"}[r.IntN(3)]
		used[transport]++
		f.left = 1 + r.IntN(120)
		var err error
		switch transport {
		case "socket":
			err = f.socket()
		case "events":
			err = f.events()
		case "poll":
			err = f.poll()
		}
		if err != nil {
			w.t.Errorf("subscriber %d, %s: %v", who, transport, err)
		}
	}
	if f.gaps > 0 && !w.mayMiss {
		w.t.Errorf("subscriber %d was told %d gaps in a history that has everything", who, f.gaps)
	}
	w.t.Logf("subscriber %d: %d messages, %d gaps, connections: %v", who, f.seen, f.gaps, used)
}

// complete reports whether there is nothing more to come.
func (f *follower) complete() bool {
	select {
	case <-f.w.done:
	default:
		return false
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	for channel, published := range f.w.published {
		if f.places[channel].Offset < uint64(len(published)) {
			return false
		}
	}
	return true
}

// message is what all transports tell of a message.
type recoveryMessage struct {
	Channel string
	Epoch   string
	Offset  uint64
	Text    string
}

type recoveryGap struct {
	Channel  string
	From, To hub.Position
	Missing  int64
}

// got takes a message, which must be the next one.
func (f *follower) got(m recoveryMessage) error {
	place := f.places[m.Channel]
	fresh := place.Epoch == "" && f.w.mayMiss // it has asked for what there is
	if want := place.Offset + 1; m.Offset != want && !fresh {
		return fmt.Errorf("message %d of %s comes where %d is due", m.Offset, m.Channel, want)
	}
	f.places[m.Channel] = hub.Position{Epoch: m.Epoch, Offset: m.Offset}
	f.seen++
	f.left--
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.heard++
	f.w.moved.Broadcast()
	if p := f.w.published[m.Channel]; uint64(len(p)) >= m.Offset && p[m.Offset-1] != "" && p[m.Offset-1] != m.Text {
		return fmt.Errorf("message %d of %s is %.20q, and %.20q was published", m.Offset, m.Channel, m.Text, p[m.Offset-1])
	}
	return nil
}

func (f *follower) missed(g recoveryGap) error {
	place := f.places[g.Channel]
	from := place.Offset
	if place.Epoch == "" && f.w.mayMiss { // it has asked for what there is, and lost some of that before it got any
		from = g.From.Offset
	}
	if g.From.Offset != from || g.To.Offset <= from || g.Missing != int64(g.To.Offset-from) {
		return fmt.Errorf("a gap of %d from %v to %v in %s, at %v", g.Missing, g.From, g.To, g.Channel, place)
	}
	f.places[g.Channel] = g.To
	f.gaps++
	return nil
}

// dawdle is a slow reader: now and then it reads nothing until others have published
// more.
func (f *follower) dawdle() {
	if f.w.steady || f.r.IntN(40) > 0 {
		return
	}
	f.w.mu.Lock()
	until := min(f.w.total+f.r.IntN(300), f.w.messages())
	f.w.mu.Unlock()
	f.w.await(until)
}

// cursor is the place in all channels, for event streams and polls.
func (f *follower) cursor() string {
	c := cursor.Cursor{Channels: recoveryChannels}
	for _, channel := range recoveryChannels {
		c.Places = append(c.Places, f.places[channel])
	}
	return f.w.cursors.Sign(c)
}

// dialNarrow makes a connection that takes little at a time, so that who does not
// read is soon behind.
func dialNarrow(ctx context.Context, network, addr string) (net.Conn, error) {
	narrow := func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
		}), err)
	}
	return (&net.Dialer{Control: narrow}).DialContext(ctx, network, addr)
}

// An error of a connection is none of the test: a server has stopped, or the
// subscriber was too slow.

func (f *follower) socket() error {
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	dialer := websocket.Dialer{NetDialContext: f.w.dial}
	conn, _, err := dialer.DialContext(ctx, "ws://"+f.w.host()+"/ws", http.Header{"Sec-WebSocket-Protocol": {socket.Subprotocol}})
	if err != nil {
		return nil
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
	commands := []any{map[string]any{"id": 1, "connect": map[string]any{}}}
	for i, channel := range recoveryChannels {
		p := f.places[channel]
		after := map[string]any{}
		if p.Epoch != "" {
			after = map[string]any{"epoch": p.Epoch, "offset": p.Offset}
		}
		commands = append(commands, map[string]any{"id": 2 + i, "subscribe": map[string]any{"channel": channel, "after": after}})
	}
	if conn.WriteJSON(commands) != nil {
		return nil
	}
	for f.left > 0 && !f.complete() {
		_, data, err := conn.ReadMessage()
		if err != nil {
			return nil
		}
		if data[0] != '[' {
			data = []byte("[" + string(data) + "]")
		}
		var pushes []struct {
			Message    *recoveryMessage
			Gap        *recoveryGap
			Error      *struct{ Code, Text string }
			Subscribed *struct {
				Channel  string
				Position hub.Position
				Missing  int64
			}
		}
		if err := json.Unmarshal(data, &pushes); err != nil {
			return err
		}
		for _, p := range pushes {
			switch {
			case p.Message != nil:
				err = f.got(*p.Message)
			case p.Gap != nil:
				err = f.missed(*p.Gap)
			case p.Error != nil:
				err = fmt.Errorf("%s: %s", p.Error.Code, p.Error.Text)
			case p.Subscribed != nil && p.Subscribed.Position.Offset > f.places[p.Subscribed.Channel].Offset:
				if s, from := p.Subscribed, f.places[p.Subscribed.Channel]; from.Epoch != "" {
					err = f.missed(recoveryGap{Channel: s.Channel, From: from, To: s.Position, Missing: s.Missing})
				}
			}
			if err != nil {
				return err
			}
		}
		f.dawdle()
	}
	return nil
}

// request asks for something below a path, at the place where the follower is.
func (f *follower) request(path string) (*http.Response, error) {
	url := fmt.Sprintf("http://%s/%s?ch=%s&cursor=%s", f.w.host(), path, strings.Join(recoveryChannels, ","), f.cursor())
	response, err := f.client.Get(url)
	if err != nil {
		return nil, nil
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		_ = response.Body.Close()
		return nil, nil
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		return nil, fmt.Errorf("%s: %s", response.Status, text)
	}
	return response, nil
}

func (f *follower) events() error {
	response, err := f.request("sse")
	if response == nil {
		return err
	}
	defer response.Body.Close()
	kind := ""
	lines := bufio.NewReader(response.Body)
	for f.left > 0 && !f.complete() {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case field == "event":
			kind = value
		case field == "":
			kind = ""
		case field == "data" && kind == "gap":
			var g recoveryGap
			if err = json.Unmarshal([]byte(value), &g); err == nil {
				err = f.missed(g)
			}
		case field == "data" && kind == "":
			var m recoveryMessage
			if err = json.Unmarshal([]byte(value), &m); err == nil {
				err = f.got(m)
			}
			f.dawdle()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) poll() error {
	for f.left > 0 && !f.complete() {
		response, err := f.request("poll")
		if response == nil {
			return err
		}
		var answer struct {
			Messages []recoveryMessage
			Gaps     []recoveryGap
		}
		err = json.NewDecoder(response.Body).Decode(&answer)
		_ = response.Body.Close()
		if err != nil {
			return nil // cut off in the middle: nothing was seen
		}
		for _, g := range answer.Gaps {
			if err := f.missed(g); err != nil {
				return err
			}
		}
		for _, m := range answer.Messages {
			if err := f.got(m); err != nil {
				return err
			}
		}
		f.left--
		f.dawdle()
	}
	return nil
}
