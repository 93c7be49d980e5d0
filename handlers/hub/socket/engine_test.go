package socket_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// waitLimit bounds a wait for something that happens elsewhere.
const waitLimit = longtest.Patience

// engine serves a hub over TCP.
type engine struct {
	*enginetest.Server
	t   *testing.T
	hub *hub.Hub
}

// onEngines runs a test on both engines.
func onEngines(t *testing.T, hubs hub.Config, test func(e *engine)) {
	var h *hub.Hub
	enginetest.Each(t, enginetest.Options{Drain: 2 * time.Second}, func(t *testing.T) asgi.Handler {
		var err error
		if h, err = hub.New(hubs); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		handler, err := socket.New(socket.Config{Hub: h, Authenticate: hub.Anyone(hub.Everything)})
		if err != nil {
			t.Fatal(err)
		}
		return handler
	}, func(t *testing.T, s *enginetest.Server) {
		test(&engine{s, t, h})
	})
}

// A page that comes back before the server knows that its connection is lost takes its
// place, also if its user has as many connections as may be.
func TestEnginesSessionAtTheLimit(t *testing.T) {
	ada := func(*asgi.Scope, string) (hub.Identity, error) {
		return hub.Identity{User: "Ada", Grants: hub.Everything}, nil
	}
	var h *hub.Hub
	enginetest.Each(t, enginetest.Options{Drain: 2 * time.Second}, func(t *testing.T) asgi.Handler {
		var err error
		if h, err = hub.New(hub.Config{MaxClientsPerUser: 1}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		handler, err := socket.New(socket.Config{Hub: h, Authenticate: ada})
		if err != nil {
			t.Fatal(err)
		}
		return handler
	}, func(t *testing.T, s *enginetest.Server) {
		const connect = `{"id":1,"connect":{"session":"the-page-of-ada-1"}}`
		e := &engine{s, t, h}
		old := e.open()
		old.say(connect)
		old.want("connected")
		newer := e.open()
		newer.say(connect)
		newer.want("connected")
		if _, _, err := old.ReadMessage(); !websocket.IsCloseError(err, 4409) {
			t.Errorf("the old one: %v", err)
		}
		newer.say(`{"id":2,"ping":{}}`)
		newer.want("pong")
	})
}

// remote is a client of another make.
type remote struct {
	*websocket.Conn
	t     *testing.T
	ready []map[string]any // objects of an array
	err   error            // that offset met
}

// dial opens a connection and connects.
func (e *engine) dial() *remote {
	e.t.Helper()
	k := e.open()
	k.say(`{"id":1,"connect":{}}`)
	k.want("connected")
	return k
}

// open opens a connection.
func (e *engine) open() *remote {
	e.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{socket.Subprotocol}, HandshakeTimeout: waitLimit}
	c, r, err := d.Dial("ws://"+e.Addr+"/hub/ws", http.Header{})
	if err != nil {
		e.t.Fatal(err)
	}
	r.Body.Close()
	if c.Subprotocol() != socket.Subprotocol {
		e.t.Errorf("the subprotocol is %q", c.Subprotocol())
	}
	e.t.Cleanup(func() { c.Close() })
	return &remote{Conn: c, t: e.t}
}

// dialSlow dials, subscribes to "a", and leaves little room for what is not read.
func (e *engine) dialSlow() *remote {
	e.t.Helper()
	k := e.dial()
	if err := k.NetConn().(*net.TCPConn).SetReadBuffer(256 << 10); err != nil {
		e.t.Fatal(err)
	}
	k.say(`{"id":2,"subscribe":{"channel":"a"}}`)
	k.want("subscribed")
	return k
}

func (k *remote) say(format string, args ...any) {
	k.t.Helper()
	if err := k.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *remote) read() ([]byte, error) {
	_ = k.SetReadDeadline(time.Now().Add(waitLimit))
	_, p, err := k.ReadMessage()
	return p, err
}

var offset = regexp.MustCompile(`^\{"message":\{"channel":"a","epoch":"\w+","offset":(\d+),`)

// offset returns that of the message that comes next, alone and too large to be
// decoded; 0 and k.err if it is the end.
func (k *remote) offset() (n int) {
	k.t.Helper()
	p, err := k.read()
	if k.err = err; err != nil {
		return 0
	}
	m := offset.FindSubmatch(p[:min(len(p), 200)])
	if m == nil {
		k.t.Fatalf("got %.200s", p)
	}
	n, _ = strconv.Atoi(string(m[1]))
	return n
}

// next returns the next object.
func (k *remote) next() map[string]any {
	k.t.Helper()
	for len(k.ready) == 0 {
		p, err := k.read()
		if err != nil {
			k.t.Fatal(err)
		}
		if p[0] != '[' {
			p = []byte("[" + string(p) + "]")
		}
		if err := json.Unmarshal(p, &k.ready); err != nil {
			k.t.Fatalf("%s: %v", p, err)
		}
	}
	o := k.ready[0]
	k.ready = k.ready[1:]
	return o
}

// want returns the next object, which must have a key.
func (k *remote) want(key string) map[string]any {
	k.t.Helper()
	o := k.next()
	v, ok := o[key].(map[string]any)
	if !ok {
		k.t.Fatalf("got %v, want a %q", o, key)
	}
	return v
}

// Many subscribers, of which some come back again and again, see each message
// once and in order.
func TestEngines(t *testing.T) {
	const messages, steady = 600, 20
	onEngines(t, hub.Config{Channels: map[string]hub.Options{"": {HistoryMessages: messages}}}, func(e *engine) {
		var all []*remote
		for range steady {
			k := e.dial()
			k.say(`{"id":2,"subscribe":{"channel":"a"}}`)
			k.want("subscribed")
			all = append(all, k)
		}
		go func() {
			for i := range messages {
				e.hub.Publish([]hub.Publication{{Channel: "a", Data: fmt.Append(nil, i)}}, nil)
			}
		}()
		follow := func(k *remote, from, to int) (epoch string) {
			e.t.Helper()
			for i := from; i <= to; i++ {
				m := k.want("message")
				if m["offset"] != float64(i) || m["data"] != float64(i-1) {
					e.t.Fatalf("got %v, want message %d", m, i)
				}
				epoch = m["epoch"].(string)
			}
			return epoch
		}
		k := e.dial()
		k.say(`{"id":2,"subscribe":{"channel":"a","after":{}}}`)
		k.want("subscribed")
		at := 20
		epoch := follow(k, 1, at)
		for at < messages {
			_ = k.NetConn().(*net.TCPConn).SetLinger(0)
			k.Close()
			k = e.dial()
			k.say(`{"id":2,"subscribe":{"channel":"a","after":{"epoch":%q,"offset":%d}}}`, epoch, at)
			if s := k.want("subscribed"); s["missing"] != 0.0 {
				e.t.Fatalf("subscribed with %v", s)
			}
			follow(k, at+1, min(at+70, messages))
			at = min(at+70, messages)
		}
		for _, k := range all {
			follow(k, 1, messages)
		}
	})
}

// A client that does not read is no burden: it gets what the history has when it
// reads again, or is closed if that is too late.
func TestEnginesSlowReader(t *testing.T) {
	const most = 1000
	text := strings.Repeat("x", 60_000) // 60 MB, which no socket holds
	payload := func(i int) []byte { return fmt.Appendf(nil, `{"n":%d,"x":"%s"}`, i, text) }
	t.Run("recovers", func(t *testing.T) {
		options := hub.Options{HistoryMessages: most, HistoryBytes: 128 << 20}
		onEngines(t, hub.Config{Channels: map[string]hub.Options{"": options}}, func(e *engine) {
			k := e.dialSlow()
			n := 0
			for behind := uint64(0); behind < 200 && n < most; n++ { // it is not handed out what it does not take
				if _, err := e.hub.PublishOne(hub.Publication{Channel: "a", Data: payload(n)}); err != nil {
					t.Fatal(err)
				}
				s := e.hub.Stats()
				behind = s.Published - s.Delivered
			}
			for i := range n {
				if at := k.offset(); at != i+1 {
					t.Fatalf("message %d came as number %d", at, i+1)
				}
			}
			if e.hub.Stats().Recovered == 0 {
				t.Log("the connection took it all as fast as it came")
			}
		})
	})
	t.Run("is closed", func(t *testing.T) {
		options := hub.Options{HistoryMessages: most, HistoryBytes: 128 << 20, MaxLagBytes: 1 << 20} // however late the loop is
		onEngines(t, hub.Config{Channels: map[string]hub.Options{"": options}}, func(e *engine) {
			k := e.dialSlow()
			for i := 0; e.hub.Stats().Clients > 0; i++ {
				for s := e.hub.Stats(); s.Clients > 0 && s.Published-s.Delivered > most/2; s = e.hub.Stats() {
					runtime.Gosched() // a loop that is late has the history still when it looks
				}
				if _, err := e.hub.PublishOne(hub.Publication{Channel: "a", Data: payload(i)}); err != nil {
					t.Fatal(err)
				}
				if i > 10*most {
					t.Fatal("nothing is too slow")
				}
			}
			for last := 0; ; last++ {
				switch n := k.offset(); {
				case n == last+1:
				case n == 0 && websocket.IsCloseError(k.err, 4408):
					return
				default:
					t.Fatalf("message %d, %v behind %d", n, k.err, last)
				}
			}
		})
	})
}

func TestEnginesDrain(t *testing.T) {
	onEngines(t, hub.Config{}, func(e *engine) {
		k := e.dial()
		ended := make(chan error, 1)
		go func() { ended <- e.Stop() }()
		k.want("drain")
		_, err := k.read()
		if !websocket.IsCloseError(err, 1012) {
			e.t.Errorf("ended with %v", err)
		}
		k.Close()
		if err := <-ended; err != nil {
			e.t.Error(err)
		}
		if s := e.hub.Stats(); s.Clients != 0 {
			e.t.Errorf("%d clients are left", s.Clients)
		}
	})
}

// What a client may not send costs it the connection, and no other.
func TestEnginesHostile(t *testing.T) {
	onEngines(t, hub.Config{}, func(e *engine) {
		for name, c := range map[string]struct {
			kind int
			data []byte
			code int
		}{
			"binary":   {websocket.BinaryMessage, []byte(`{}`), 1003},
			"no UTF-8": {websocket.TextMessage, []byte("{\"id\":2,\"\xff\":{}}"), 1007},
			"too long": {websocket.TextMessage, []byte(strings.Repeat(" ", 300_000)), 1009},
			"faults":   {websocket.TextMessage, []byte("[" + strings.Repeat("{},", 20) + "{}]"), 1008},
		} {
			k := e.dial()
			if err := k.WriteMessage(c.kind, c.data); err != nil {
				e.t.Fatal(err)
			}
			var err error
			for err == nil {
				_, err = k.read()
			}
			if !websocket.IsCloseError(err, c.code) {
				e.t.Errorf("%s: ended with %v", name, err)
			}
			k.Close()
		}
	})
}
