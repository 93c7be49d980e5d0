package hub_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/hub/jwt"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
	"github.com/gale-server/gale/internal/longtest"
)

// What TestMisuse sends is in misuse_cases_test.go; here is whom it sends it to.

const (
	misuseSecret  = "what tokens and cursors are signed with, both"
	misuseKey     = "the-key-of-the-backend"
	misuseTimeout = longtest.Patience
	misuseBytes   = 1000 // of a payload
	misuseSubs    = 3    // of a client
)

// misuse is a server with all transports of a hub, and those who must not notice
// what others do wrong.
type misuse struct {
	*enginetest.Server
	t         *testing.T
	hub       *hub.Hub
	cursors   *cursor.Signer
	names     *strings.Replacer // what stands for something in a case
	published int               // messages in "room"

	socket *websocket.Conn
	events *bufio.Reader
	cursor string // of the poll
}

// misuseHandler serves everything of a hub, at the paths where gale serve has it.
func misuseHandler(t *testing.T, m *misuse, publishBytes int) asgi.Handler {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	m.hub, err = hub.New(hub.Config{
		MaxSubscriptions: misuseSubs,
		MaxPublishBytes:  publishBytes,
		Channels:         map[string]hub.Options{"paced:": {PublishRate: 0.0001}, "seen:": {Presence: true}},
	})
	must(err)
	t.Cleanup(func() { m.hub.Close() })
	m.cursors, err = cursor.New([]byte(misuseSecret))
	must(err)
	verifier, err := jwt.New(jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: []byte(misuseSecret)}}})
	must(err)
	sockets, err := socket.New(socket.Config{Hub: m.hub, Authenticate: verifier.Authenticate})
	must(err)
	events, err := sse.New(sse.Config{Hub: m.hub, Authenticate: verifier.Authenticate, Cursors: m.cursors})
	must(err)
	polls, err := longpoll.New(longpoll.Config{Hub: m.hub, Authenticate: verifier.Authenticate, Cursors: m.cursors, PollRate: -1})
	must(err)
	publish, err := api.NewPublish(api.PublishConfig{Hub: m.hub, Authenticate: verifier.Authenticate})
	must(err)
	backend, err := api.New(api.Config{Hub: m.hub, Keys: []string{misuseKey}, MaxBatch: 3})
	must(err)
	mux := new(handlers.Mux)
	mux.WebSocket("/hub/ws", sockets)
	mux.HTTP("/hub/sse", events)
	mux.HTTP("/hub/poll", polls)
	mux.HTTP("/hub/publish", publish)
	mux.HTTP("/hub/api/*", backend)
	return mux
}

// onMisuse runs a test on both engines.
func onMisuse(t *testing.T, test func(m *misuse)) { onMisuseOf(t, misuseBytes, test) }

// onMisuseOf is onMisuse with another bound of payloads.
func onMisuseOf(t *testing.T, publishBytes int, test func(m *misuse)) {
	var m *misuse
	enginetest.Each(t, enginetest.Options{HalfClose: server.HalfCloseDisconnects}, func(t *testing.T) asgi.Handler {
		m = &misuse{t: t}
		return misuseHandler(t, m, publishBytes)
	}, func(t *testing.T, s *enginetest.Server) {
		m.Server = s
		m.name()
		m.witness()
		test(m)
	})
}

// token makes a signed token.
func token(algorithm, secret, user string, expires time.Time, more string) string {
	text := base64.RawURLEncoding.EncodeToString
	p := text(fmt.Appendf(nil, `{"alg":%q,"typ":"JWT"}`, algorithm)) + "." +
		text(fmt.Appendf(nil, `{"sub":%q,"exp":%d%s}`, user, expires.Unix(), more))
	sum := map[string]func() hash.Hash{"HS256": sha256.New, "HS512": sha512.New}[algorithm]
	if sum == nil {
		return p + "."
	}
	code := hmac.New(sum, []byte(secret))
	code.Write([]byte(p))
	return p + "." + text(code.Sum(nil))
}

// name gives names to what the cases are made of.
func (m *misuse) name() {
	const grants = `,"channels":{"subscribe":["room","a:*","seen:*"],"publish":["a:*","paced:*"],"presence":["seen:*","a:*"]}`
	soon, ago := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	at := func(user string, expires time.Time, channels ...string) string {
		return m.cursors.Sign(cursor.Cursor{Channels: channels, Places: make([]hub.Position, len(channels)), User: user, Expires: expires})
	}
	strangers, err := cursor.New([]byte("a secret of another server"))
	if err != nil {
		m.t.Fatal(err)
	}
	good := token("HS256", misuseSecret, "eve", soon, grants)
	head, rest, _ := strings.Cut(good, ".")
	mine := at("eve", soon, "room")
	m.names = strings.NewReplacer(
		"TOKEN", good,
		"FORGED", head+"."+strings.Replace(rest, ".", "x.", 1),
		"EXPIRED", token("HS256", misuseSecret, "eve", ago, grants),
		"UNSIGNED", token("none", "", "eve", soon, grants),
		"OTHERALG", token("HS512", misuseSecret, "eve", soon, grants),
		"OTHERKEY", token("HS256", "a secret that others have and that is as long", "eve", soon, grants),
		"ENDLESS", token("HS256", misuseSecret, "eve", soon.Add(365*24*time.Hour), grants),
		"SOMEBODY", token("HS256", misuseSecret, "mallory", soon, grants),
		"MINE", mine,
		"BENT", flip(mine),
		"STRANGE", strangers.Sign(cursor.Cursor{Channels: []string{"room"}, Places: make([]hub.Position, 1), User: "eve", Expires: soon}),
		"NARROW", at("eve", soon, "a:1"),
		"WIDE", at("eve", soon, "room", "a:1"),
		"HERS", at("ada", soon, "room"),
		"OLDONE", at("ada", ago, "room"),
		"STALE", at("eve", ago, "room"),
		"LONG", strings.Repeat("x", 300),
		"HUGE", strings.Repeat("x", misuseBytes+1),
		"BODY", strings.Repeat("x", 30_000),
		"DEEP", strings.Repeat("[", 70)+strings.Repeat("]", 70),
		"BACKEND", misuseKey,
		`\xff`, "\xff", // no UTF-8
	)
}

// flip changes a letter in the middle.
func flip(s string) string {
	b := []byte(s)
	b[len(b)/2] ^= 1
	return string(b)
}

// witness connects those who follow "room" all the time, one with each transport.
func (m *misuse) witness() {
	m.t.Helper()
	ada := token("HS256", misuseSecret, "ada", time.Now().Add(time.Hour), `,"channels":{"subscribe":["room"]}`)
	m.socket = m.dial()
	say(m.t, m.socket, fmt.Sprintf(`[{"id":1,"connect":{"token":%q}},{"id":2,"subscribe":{"channel":"room"}}]`, ada))
	read := listen(m.t, m.socket)
	for _, key := range []string{"connected", "subscribed"} {
		if o, err := read(); err != nil || o[key] == nil {
			m.t.Fatalf("got %s, %v, want %q", o, err, key)
		}
	}

	r, err := (&http.Client{Transport: m.Client.Transport}).Get("http://" + m.Addr + "/hub/sse?ch=room&token=" + ada)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { r.Body.Close() })
	m.events = bufio.NewReader(r.Body)
	for line := ""; !strings.HasPrefix(line, "data: "); { // that it has subscribed
		if line, err = m.events.ReadString('\n'); err != nil {
			m.t.Fatal(err)
		}
	}
	m.poll("wait=0&token=" + ada)
}

// poll polls "room", and returns what has come.
func (m *misuse) poll(query string) (texts []string) {
	m.t.Helper()
	r, err := m.Client.Get("http://" + m.Addr + "/hub/poll?ch=room&" + query)
	if err != nil {
		m.t.Fatal(err)
	}
	defer r.Body.Close()
	var answer struct {
		Cursor   string
		Messages []struct{ Text string }
		Gap      bool
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || r.StatusCode != 200 || answer.Gap {
		m.t.Fatalf("the poll's answer: %s, %+v, %v", r.Status, answer, err)
	}
	m.cursor = answer.Cursor
	for _, message := range answer.Messages {
		texts = append(texts, message.Text)
	}
	return texts
}

// lost publishes a message, and reports an error if it is not the next one that each
// witness gets.
func (m *misuse) lost() {
	m.t.Helper()
	m.published++
	text := fmt.Sprint("number ", m.published)
	if _, err := m.hub.PublishOne(hub.Publication{Channel: "room", Data: []byte(text)}); err != nil {
		m.t.Fatal(err)
	}
	want := fmt.Sprintf(`"text":%q`, text)
	_ = m.socket.SetReadDeadline(time.Now().Add(misuseTimeout))
	if _, p, err := m.socket.ReadMessage(); err != nil || strings.Count(string(p), `"text"`) != 1 || !strings.Contains(string(p), want) {
		m.t.Fatalf("the WebSocket got %s, %v, not %s", p, err, text)
	}
	for line := ""; !strings.HasPrefix(line, "data: "); {
		var err error
		if line, err = m.events.ReadString('\n'); err != nil {
			m.t.Fatal(err)
		}
		if strings.HasPrefix(line, "data: ") && !strings.Contains(line, want) {
			m.t.Fatalf("the stream got %s, not %s", line, text)
		}
	}
	if texts := m.poll("cursor=" + m.cursor); len(texts) != 1 || texts[0] != text {
		m.t.Fatalf("the poll got %q, not %s", texts, text)
	}
}

// dial opens a WebSocket.
func (m *misuse) dial() *websocket.Conn {
	m.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{socket.Subprotocol}, HandshakeTimeout: misuseTimeout}
	c, r, err := d.Dial("ws://"+m.Addr+"/hub/ws", nil)
	if err != nil {
		m.t.Fatal(err)
	}
	r.Body.Close()
	m.t.Cleanup(func() { c.Close() })
	return c
}

func say(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// object is one object of a WebSocket's messages.
type object map[string]json.RawMessage

// listen returns what reads the next object.
func listen(t *testing.T, c *websocket.Conn) func() (object, error) {
	var ready []object
	return func() (o object, err error) {
		t.Helper()
		for len(ready) == 0 {
			_ = c.SetReadDeadline(time.Now().Add(misuseTimeout))
			_, p, err := c.ReadMessage()
			if err != nil {
				return nil, err
			}
			if p[0] != '[' {
				p = []byte("[" + string(p) + "]")
			}
			if err := json.Unmarshal(p, &ready); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
		}
		o, ready = ready[0], ready[1:]
		return o, nil
	}
}

// answered is what came back for a request.
type answered struct {
	*http.Response
	body string // of a stream, what came until it said what was wanted
}

// ask sends a request over a connection, and reads the answer to its end, or, if it
// is an event stream, until it says something.
func ask(t *testing.T, conn net.Conn, r *bufio.Reader, q *http.Request, says string) (a answered) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(misuseTimeout))
	var request bytes.Buffer
	if err := q.Write(&request); err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(request.Bytes()) // a server may answer and close before it has all
	var err error
	if a.Response, err = http.ReadResponse(r, q); err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.Header.Get("Content-Type") != "text/event-stream" {
		p, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		a.body = string(p)
		return a
	}
	for lines := bufio.NewReader(a.Body); !strings.Contains(a.body, says); {
		line, err := lines.ReadString('\n')
		if a.body += line; err != nil {
			return a
		}
	}
	_ = conn.Close() // a stream has no end
	return a
}
