package hub_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/handlers/hub"
)

// misuseRequest is a request that makes no sense, or that somebody may not make, and
// how it is answered.
type misuseRequest struct {
	name   string
	method string   // "" for GET, or POST if there is a body
	path   string   // below /hub/
	body   string   // of a POST
	fields []string // Name: value; with an Authorization of eve's unless there is another
	status int
	code   hub.ErrorCode // "" for none: it is served, for what is wrong does not count
	says   string        // what an answer with no code says
	closes bool          // the connection may be closed: not all of the request was read
}

// follows are requests to follow channels, which event streams and polls answer
// alike.
var follows = []misuseRequest{
	{name: "no channel", path: "", status: 400, code: "bad_request"},
	{name: "an empty channel", path: "?ch=", status: 400, code: "bad_channel"},
	{name: "an empty channel behind another", path: "?ch=room,", status: 400, code: "bad_channel"},
	{name: "a channel twice", path: "?ch=room,room", status: 400, code: "bad_request"},
	{name: "a channel that is too long", path: "?ch=a:LONG", status: 400, code: "bad_channel"},
	{name: "a channel that is no UTF-8", path: "?ch=a:%FF", status: 400, code: "bad_channel"},
	{name: "a channel with a space", path: "?ch=a:+", status: 400, code: "bad_channel"},
	{name: "a channel with a NUL", path: "?ch=a:%00", status: 400, code: "bad_channel"},
	{name: "a channel with an asterisk in the middle", path: "?ch=a:*b", status: 400, code: "bad_channel"},
	{name: "too many channels", path: "?ch=a:1,a:2,a:3,a:4", status: 400, code: "bad_request"},
	{name: "a malformed query", path: "?ch=room&x=%zz", status: 400, code: "bad_request"},
	{name: "a semicolon", path: "?ch=room;last=1", status: 400, code: "bad_request"},
	{name: "a channel that is not granted", path: "?ch=secret", status: 403, code: "not_allowed"},
	{name: "a channel of which only others are granted", path: "?ch=room,secret", status: 403, code: "not_allowed"},
	{name: "no token", path: "?ch=room", fields: []string{"Authorization: "}, status: 401, code: "bad_token"},
	{name: "no token but a password", path: "?ch=room", fields: []string{"Authorization: Basic ZXZlOmV2ZQ=="}, status: 401, code: "bad_token"},
	{name: "a token that is none", path: "?ch=room", fields: []string{"Authorization: Bearer x"}, status: 401, code: "bad_token"},
	{name: "a forged token", path: "?ch=room", fields: []string{"Authorization: Bearer FORGED"}, status: 401, code: "bad_token"},
	{name: "an expired token", path: "?ch=room", fields: []string{"Authorization: Bearer EXPIRED"}, status: 401, code: "token_expired"},
	{name: "an unsigned token", path: "?ch=room", fields: []string{"Authorization: Bearer UNSIGNED"}, status: 401, code: "bad_token"},
	{name: "a token of another algorithm", path: "?ch=room", fields: []string{"Authorization: Bearer OTHERALG"}, status: 401, code: "bad_token"},
	{name: "a token of another key", path: "?ch=room", fields: []string{"Authorization: Bearer OTHERKEY"}, status: 401, code: "bad_token"},
	{name: "a token for too long", path: "?ch=room", fields: []string{"Authorization: Bearer ENDLESS"}, status: 401, code: "bad_token"},
	{name: "a forged token in the query", path: "?ch=room&token=FORGED", fields: []string{"Authorization: "}, status: 401, code: "bad_token"},
	{name: "a cursor that is none", path: "?ch=room&cursor=x", status: 400, code: "bad_cursor"},
	{name: "a forged cursor", path: "?ch=room&cursor=BENT", status: 400, code: "bad_cursor"},
	{name: "a cursor of another server", path: "?ch=room&cursor=STRANGE", status: 400, code: "bad_cursor"},
	{name: "a cursor of another channel", path: "?ch=room&cursor=NARROW", status: 400, code: "bad_cursor"},
	{name: "a cursor of more channels", path: "?ch=room&cursor=WIDE", status: 400, code: "bad_cursor"},
	{name: "a cursor of fewer channels", path: "?ch=room,a:1&cursor=MINE", status: 400, code: "bad_cursor"},
	{name: "an old cursor of another user", path: "?ch=room&cursor=OLDONE", status: 400, code: "bad_cursor"},
	{name: "a cursor that is too long", path: "?ch=room&cursor=" + strings.Repeat("LONG", 20), status: 400, code: "bad_cursor"},
	{name: "a target that is too long", path: "?ch=room&cursor=" + strings.Repeat("LONG", 60), status: 414, says: "Long", closes: true},
	{name: "an expired cursor", path: "?ch=room&cursor=STALE", status: 200, says: `"text":"number 1"`},
	{name: "a last that is no number", path: "?ch=room&last=x", status: 400, code: "bad_request"},
	{name: "a negative last", path: "?ch=room&last=-1", status: 400, code: "bad_request"},
	{name: "a last of another number of channels", path: "?ch=room&last=1,2", status: 400, code: "bad_request"},
	{name: "a last beyond the limit", path: "?ch=room&last=99999999999999999999", status: 200, says: `"text":"number 1"`},
	{name: "an after that is none", path: "?ch=room&after=x", status: 400, code: "bad_request"},
	{name: "an after without a number", path: "?ch=room&after=x:y", status: 400, code: "bad_request"},
	{name: "an after of more channels", path: "?ch=room&after=x:1,y:2", status: 400, code: "bad_request"},
	{name: "an after of another epoch", path: "?ch=room&after=x:1", status: 200, says: `"missing":-1`},
	{name: "unknown parameters", path: "?ch=room&last=1&lats=7&%FF=x", status: 200, says: `"text":"number `},
	{name: "another method", method: "DELETE", path: "?ch=room", status: 405, code: "bad_request"},
	{name: "a method with a body", path: "?ch=room", body: "x", status: 405, code: "bad_request", closes: true},
}

// publications are what clients and backends may not publish.
var publications = []misuseRequest{
	{name: "nothing", body: ``, status: 400, code: "bad_request"},
	{name: "half an object", body: `{"channel":"a:1"`, status: 400, code: "bad_request"},
	{name: "an array", body: `[]`, status: 400, code: "bad_request"},
	{name: "null", body: `null`, status: 400, code: "bad_request"},
	{name: "what is no JSON", body: `channel=a:1&text=x`, status: 400, code: "bad_request"},
	{name: "trailing garbage", body: `{"channel":"a:1","text":"x"}x`, status: 400, code: "bad_request"},
	{name: "two objects", body: `{"channel":"a:1","text":"x"}{"channel":"a:1","text":"x"}`, status: 400, code: "bad_request"},
	{name: "no UTF-8", body: `{"channel":"a:1","text":"\xff"}`, status: 400, code: "bad_request"},
	{name: "half a surrogate pair", body: `{"channel":"a:1","text":"\ud800"}`, status: 400, code: "bad_request"},
	{name: "half a surrogate pair in a tag", body: `{"channel":"a:1","text":"x","tags":{"\udc00":"x"}}`, status: 400, code: "bad_request"},
	{name: "an unknown key", body: `{"channel":"a:1","text":"x","txet":1}`, status: 400, code: "bad_request"},
	{name: "a key in upper case", body: `{"channel":"a:1","TEXT":"x"}`, status: 200, says: `"offset":`},
	{name: "a key twice", body: `{"channel":"secret","channel":"a:1","text":"x"}`, status: 400, code: "bad_request"},
	{name: "nesting", body: `{"channel":"a:1","data":DEEP}`, status: 400, code: "bad_request"},
	{name: "text that is none", body: `{"channel":"a:1","text":1}`, status: 400, code: "bad_request"},
	{name: "no payload", body: `{"channel":"a:1"}`, status: 400, code: "bad_request"},
	{name: "two payloads", body: `{"channel":"a:1","text":"x","data":1}`, status: 400, code: "bad_request"},
	{name: "no Base64", body: `{"channel":"a:1","base64":"?"}`, status: 400, code: "bad_request"},
	{name: "Base64 with bits left over", body: `{"channel":"a:1","base64":"eB=="}`, status: 400, code: "bad_request"},
	{name: "a negative ttl", body: `{"channel":"a:1","text":"x","ttl":-1}`, status: 400, code: "bad_request"},
	{name: "a ttl with a fraction", body: `{"channel":"a:1","text":"x","ttl":1.5}`, status: 400, code: "bad_request"},
	{name: "an endless ttl", body: `{"channel":"a:1","text":"x","ttl":9223372036854775807}`, status: 400, code: "bad_request"},
	{name: "tags that are no strings", body: `{"channel":"a:1","text":"x","tags":{"k":1}}`, status: 400, code: "bad_request"},
	{name: "too many tags", body: `{"channel":"a:1","text":"x","tags":{"1LONG":"LONG","2LONG":"LONG"}}`, status: 413, code: "too_large"},
	{name: "a key that is too long", body: `{"channel":"a:1","text":"x","key":"LONG"}`, status: 413, code: "too_large"},
	{name: "a message that is too large", body: `{"channel":"a:1","text":"HUGE"}`, status: 413, code: "too_large"},
	{name: "data that is too large", body: `{"channel":"a:1","data":"HUGE"}`, status: 413, code: "too_large"},
	{name: "no channel", body: `{"text":"x"}`, status: 400, code: "bad_channel"},
	{name: "a channel that is too long", body: `{"channel":"a:LONG","text":"x"}`, status: 400, code: "bad_channel"},
	{name: "a channel with a NUL", body: `{"channel":"a:\u0000","text":"x"}`, status: 400, code: "bad_channel"},
	{name: "a pattern", body: `{"channel":"a:*","text":"x"}`, status: 400, code: "bad_channel"},
}

// theRest are requests of one kind only.
var theRest = []misuseRequest{
	{name: "an ID that is too long", path: "sse?ch=room", fields: []string{"Last-Event-ID: " + strings.Repeat("LONG", 60)}, status: 200, says: "event: gap\n"},
	{name: "an ID that is none", path: "sse?ch=room", fields: []string{"Last-Event-ID: x"}, status: 200, says: "event: gap\n"},
	{name: "a forged ID", path: "sse?ch=room", fields: []string{"Last-Event-ID: BENT"}, status: 200, says: "event: gap\n"},
	{name: "an ID of another user", path: "sse?ch=room", fields: []string{"Last-Event-ID: HERS"}, status: 200, says: "event: gap\n"},
	{name: "a cursor of another user", path: "sse?ch=room&cursor=HERS", status: 400, code: "bad_cursor"},
	{name: "a pattern that is not granted", path: "sse?ch=*", status: 403, code: "not_allowed"},

	{name: "a pattern", path: "poll?ch=a:*", status: 400, code: "bad_channel"},
	{name: "an expired cursor and no token", path: "poll?ch=room&cursor=STALE", fields: []string{"Authorization: "}, status: 401, code: "token_expired"},
	{name: "a negative wait", path: "poll?ch=room&wait=-1", status: 400, code: "bad_request"},
	{name: "a wait that is no number", path: "poll?ch=room&wait=soon", status: 400, code: "bad_request"},
	{name: "no limit", path: "poll?ch=room&limit=0", status: 400, code: "bad_request"},
	{name: "a negative limit", path: "poll?ch=room&limit=-1", status: 400, code: "bad_request"},
	{name: "a strict that is neither", path: "poll?ch=room&strict=yes", status: 400, code: "bad_request"},
	{name: "a sid that is too long", path: "poll?ch=room&sid=LONG", status: 400, code: "bad_request"},
	{name: "a tag that is too long", path: "poll?ch=room&wait=0&token=TOKEN", fields: []string{"If-None-Match: " + strings.Repeat("LONG", 60)}, status: 200, says: `"reason":"timeout"`},
	{name: "a tag that is no cursor", path: "poll?ch=room&wait=0&token=TOKEN", fields: []string{`If-None-Match: "x"`}, status: 200, says: `"reason":"timeout"`},
	{name: "a Prefer that is garbage", path: "poll?ch=room&last=1", fields: []string{`Prefer: wait="x;,=,,wait=-5, wait`}, status: 200, says: `"data"`},
	{name: "a Prefer that is endless", path: "poll?ch=room&last=1", fields: []string{"Prefer: wait=99999999999999999999"}, status: 200, says: `"data"`},

	{name: "another method", method: "PUT", path: "publish", status: 405, code: "bad_request"},
	{name: "no token", path: "publish", body: `{"channel":"a:1","text":"x"}`, fields: []string{"Authorization: "}, status: 401, code: "bad_token", closes: true},
	{name: "an unsigned token", path: "publish", body: `{"channel":"a:1","text":"x"}`, fields: []string{"Authorization: Bearer UNSIGNED"}, status: 401, code: "bad_token", closes: true},
	{name: "an expired token", path: "publish", body: `{"channel":"a:1","text":"x"}`, fields: []string{"Authorization: Bearer EXPIRED"}, status: 401, code: "token_expired", closes: true},
	{name: "a channel that is not granted", path: "publish", body: `{"channel":"room","text":"x"}`, status: 403, code: "not_allowed"},
	{name: "the name of somebody else", path: "publish", body: `{"channel":"a:1","text":"x","from":"ada"}`, status: 400, code: "bad_request"},
	{name: "a page of another origin", path: "publish", body: `{"channel":"a:1","text":"x"}`, fields: []string{"Origin: https://evil.example"}, status: 403, code: "not_allowed", closes: true},
	{name: "another content type", path: "publish", body: `{"channel":"a:1","text":"x"}`, fields: []string{"Content-Type: image/png"}, status: 200, says: `"offset":`},
	{name: "a body that is too large", path: "publish", body: `{"channel":"a:1","text":"BODY"}`, status: 413, code: "too_large", closes: true},
	{name: "as much as there may be", path: "publish", body: `{"channel":"paced:1","text":"x"}`, status: 200, says: `"offset":1`},
	{name: "more than there may be", path: "publish", body: `{"channel":"paced:1","text":"x"}`, status: 429, code: "too_fast"},

	{name: "the key of nobody", path: "api/stats", fields: []string{"Authorization: Bearer x"}, status: 401, code: "bad_token"},
	{name: "the token of a client", path: "api/stats", status: 401, code: "bad_token"},
	{name: "the key in the query", path: "api/stats?token=BACKEND", status: 401, code: "bad_token"},
	{name: "another path", path: "api/nothing", fields: backend, status: 404, code: "not_found"},
	{name: "another method", path: "api/publish", fields: backend, status: 405, code: "bad_request"},
	{name: "a POST", path: "api/stats", body: "{}", fields: backend, status: 405, code: "bad_request", closes: true},
	{name: "an empty batch", path: "api/batch", body: `{"publications":[]}`, fields: backend, status: 400, code: "bad_request"},
	{name: "a batch that is too large", path: "api/batch", body: `{"publications":[{},{},{},{}]}`, fields: backend, status: 400, code: "bad_request"},
	{name: "a batch with a mistake", path: "api/batch", body: `{"publications":[{"channel":"a:1","text":"x"},{"channel":"a:1"},{"channel":"a:1","text":"y"}]}`, fields: backend,
		status: 200, says: `},{"error":{"code":"bad_request"`},
	{name: "a broadcast with a mistake", path: "api/broadcast", body: `{"channels":["a:1",""],"text":"x"}`, fields: backend, status: 200, says: `"error":{"code":"bad_channel"`},
	{name: "a broadcast to too many", path: "api/broadcast", body: `{"channels":["a:1","a:2","a:3","a:4"],"text":"x"}`, fields: backend, status: 400, code: "bad_request"},
	{name: "a history of no channel", path: "api/history", fields: backend, status: 400, code: "bad_channel"},
	{name: "a history with a negative limit", path: "api/history?channel=room&limit=-1", fields: backend, status: 400, code: "bad_request"},
	{name: "a history with half a place", path: "api/history?channel=room&epoch=x", fields: backend, status: 400, code: "bad_request"},
	{name: "a history with a malformed query", path: "api/history?channel=room&x=%zz", fields: backend, status: 400, code: "bad_request"},
	{name: "members of a channel that has none", path: "api/members?channel=room", fields: backend, status: 404, code: "not_found"},
	{name: "the end of nobody", path: "api/disconnect", body: `{}`, fields: backend, status: 400, code: "bad_request"},
	{name: "the end of no subscription", path: "api/unsubscribe", body: `{"user":"x","channel":"a b"}`, fields: backend, status: 400, code: "bad_channel"},
	{name: "to forget nothing", path: "api/forget", body: `{}`, fields: backend, status: 400, code: "bad_channel"},
}

var backend = []string{"Authorization: Bearer BACKEND"}

// below returns requests with a path before theirs, and fields besides.
func below(path string, requests []misuseRequest, fields ...string) (all []misuseRequest) {
	for _, q := range requests {
		q.name = strings.TrimSuffix(path, "?") + ", " + q.name
		q.path = path + q.path
		if path == "publish" || path == "api/publish" {
			q.method = "POST"
		}
		q.fields = append(q.fields[:len(q.fields):len(q.fields)], fields...)
		all = append(all, q)
	}
	return all
}

// TestMisuse sends what is wrong, over each transport. It is answered as it is
// documented, by hub.Error, socket/PROTOCOL.md, and the comments of packages sse,
// longpoll and api. The connection goes on where it may, and others lose nothing.
func TestMisuse(t *testing.T) {
	var requests []misuseRequest
	requests = append(requests, below("sse", follows)...)
	requests = append(requests, below("poll", follows)...)
	requests = append(requests, below("publish", publications)...)
	requests = append(requests, below("api/publish", publications, backend...)...)
	for _, q := range theRest {
		q.name = q.path + ", " + q.name
		requests = append(requests, q)
	}
	onMisuse(t, func(m *misuse) {
		m.lost() // there is something in the history
		for _, q := range requests {
			m.request(q)
			m.lost()
		}
		for _, c := range commands {
			m.command(c)
		}
		m.lost()
		for range 10 { // wrong requests leave nothing behind
			if s := m.hub.Stats(); s.Clients <= 2 && s.Subscriptions <= 2 {
				break
			}
			m.poll("wait=1&cursor=" + m.cursor)
		}
		if s := m.hub.Stats(); s.Clients != 2 || s.Subscriptions != 2 || s.Slow != 0 {
			m.t.Errorf("in the end: %+v", s)
		}
	})
}

// request makes a request, and a right one over the same connection.
func (m *misuse) request(c misuseRequest) {
	m.t.Helper()
	conn, err := net.Dial("tcp", m.Addr)
	if err != nil {
		m.t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	method := c.method
	switch {
	case method == "" && c.body != "":
		method = "POST"
	case method == "":
		method = "GET"
	}
	q := m.build(method, c.path, c.body, c.fields)
	a := ask(m.t, conn, r, q, c.says)
	if a.StatusCode != c.status {
		m.t.Errorf("%s: %s %.300s", c.name, a.Status, a.body)
		return
	}
	if c.code == "" {
		if !strings.Contains(a.body, c.says) {
			m.t.Errorf("%s: %.300s", c.name, a.body)
		}
		if a.Header.Get("Content-Type") == "text/event-stream" {
			return
		}
	} else {
		var e struct {
			Code  hub.ErrorCode
			Text  string
			Retry int64 `json:"retry_ms"`
		}
		if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Code != c.code || e.Text == "" || a.Header.Get("Content-Type") != "application/json" {
			m.t.Errorf("%s: %.300s", c.name, a.body)
		}
		if later := a.StatusCode == 429 || a.StatusCode == 503; later != (e.Retry > 0) || later != (a.Header.Get("Retry-After") != "") {
			m.t.Errorf("%s: retry after %d ms, %v", c.name, e.Retry, a.Header)
		}
		if (a.StatusCode == 401) != (a.Header.Get("WWW-Authenticate") == "Bearer") || (a.StatusCode == 405) != (a.Header.Get("Allow") != "") {
			m.t.Errorf("%s: %v", c.name, a.Header)
		}
	}
	if c.closes {
		return
	}
	if a.Close {
		m.t.Errorf("%s: the connection is closed", c.name)
		return
	}
	if a = ask(m.t, conn, r, m.build("GET", "poll?ch=room&wait=0", "", nil), ""); a.StatusCode != 200 {
		m.t.Errorf("%s: what follows is answered with %s %.300s", c.name, a.Status, a.body)
	}
}

// build makes a request out of what stands for something.
func (m *misuse) build(method, path, body string, fields []string) *http.Request {
	m.t.Helper()
	q, err := http.NewRequest(method, "http://"+m.Addr+"/hub/"+m.names.Replace(path), strings.NewReader(m.names.Replace(body)))
	if err != nil {
		m.t.Fatal(err)
	}
	q.Header.Set("Authorization", m.names.Replace("Bearer TOKEN"))
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if q.Header.Set(name, m.names.Replace(value)); value == "" {
			q.Header.Del(name)
		}
	}
	return q
}

// misuseCommand is what a client may not say over a WebSocket, and what becomes of
// it.
type misuseCommand struct {
	name   string
	says   string
	binary bool
	before bool          // the client has not connected yet
	code   hub.ErrorCode // of the error that is told, "" for none
	reply  string        // what a reply with no error says
	closes int           // the code that closes the connection, 0 if it goes on
}

// of makes a command with an id.
func of(command string) string { return `{"id":7,` + command + `}` }

var commands = []misuseCommand{
	{name: "half an object", says: `{"id":7`, code: "bad_request"},
	{name: "nothing", says: ``, code: "bad_request"},
	{name: "an empty array", says: `[]`, code: "bad_request"},
	{name: "a string", says: `"x"`, code: "bad_request"},
	{name: "null", says: `null`, code: "bad_request"},
	{name: "trailing garbage", says: of(`"ping":{}`) + "x", code: "bad_request"},
	{name: "no id", says: `{"ping":{}}`, code: "bad_request"},
	{name: "an id of 0", says: `{"id":0,"ping":{}}`, code: "bad_request"},
	{name: "an id that is a string", says: `{"id":"7","ping":{}}`, code: "bad_request"},
	{name: "an id that is too large", says: `{"id":9007199254740993,"ping":{}}`, code: "bad_request"},
	{name: "the id of another", says: `{"id":2,"ping":{}}`, reply: `"pong"`},
	{name: "no command", says: `{"id":7}`, code: "bad_request"},
	{name: "an unknown command", says: of(`"pnig":{}`), code: "bad_request"},
	{name: "two commands", says: of(`"ping":{},"members":{}`), code: "bad_request"},
	{name: "a command that is no object", says: of(`"ping":1`), code: "bad_request"},
	{name: "an unknown key", says: of(`"subscribe":{"channel":"a:1","lats":1}`), code: "bad_request"},
	{name: "a key twice", says: of(`"subscribe":{"channel":"a:1","channel":"a:2"}`), code: "bad_request"},
	{name: "another connect", says: of(`"connect":{}`), code: "bad_request"},
	{name: "nesting", says: of(`"publish":{"channel":"a:1","data":DEEP}`), code: "bad_request"},
	{name: "no channel", says: of(`"subscribe":{}`), code: "bad_channel"},
	{name: "a channel that is a number", says: of(`"subscribe":{"channel":1}`), code: "bad_request"},
	{name: "a channel that is too long", says: of(`"subscribe":{"channel":"a:LONG"}`), code: "bad_channel"},
	{name: "a channel with a NUL", says: of(`"subscribe":{"channel":"a:\u0000"}`), code: "bad_channel"},
	{name: "a channel with an asterisk in the middle", says: of(`"subscribe":{"channel":"a:*b"}`), code: "bad_channel"},
	{name: "a channel that is not granted", says: of(`"subscribe":{"channel":"secret"}`), code: "not_allowed"},
	{name: "a pattern that is not granted", says: of(`"subscribe":{"channel":"*"}`), code: "not_allowed"},
	{name: "a subscription again", says: of(`"subscribe":{"channel":"room"}`), code: "bad_request"},
	{name: "too many subscriptions", says: `[{"id":3,"subscribe":{"channel":"a:1"}},{"id":4,"subscribe":{"channel":"a:2"}},{"id":7,"subscribe":{"channel":"a:3"}}]`, code: "too_many"},
	{name: "a place in another epoch", says: of(`"subscribe":{"channel":"a:1","after":{"epoch":"x","offset":7}}`), reply: `"missing":-1`},
	{name: "a place that is none", says: of(`"subscribe":{"channel":"a:1","after":"MINE"}`), code: "bad_request"},
	{name: "a place without an epoch", says: of(`"subscribe":{"channel":"a:1","after":{"offset":7}}`), code: "bad_request"},
	{name: "a negative last", says: of(`"subscribe":{"channel":"a:1","last":-1}`), code: "bad_request"},
	{name: "a last beyond the limit", says: of(`"subscribe":{"channel":"a:1","last":2147483647}`), reply: `"subscribed"`},
	{name: "a last beyond all limits", says: of(`"subscribe":{"channel":"a:1","last":99999999999}`), code: "bad_request"},
	{name: "presence where there is none", says: of(`"members":{"channel":"a:1"}`), code: "not_found"},
	{name: "presence that is not granted", says: of(`"members":{"channel":"room"}`), code: "not_allowed"},
	{name: "no subscription to end", says: of(`"unsubscribe":{"channel":"a:1"}`), code: "not_subscribed"},
	{name: "a history from two ends", says: of(`"history":{"channel":"room","after":{},"last":1}`), code: "bad_request"},
	{name: "a history that is not granted", says: of(`"history":{"channel":"secret"}`), code: "not_allowed"},
	{name: "a publication that is not granted", says: of(`"publish":{"channel":"room","text":"x"}`), code: "not_allowed"},
	{name: "a publication of nothing", says: of(`"publish":{"channel":"a:1"}`), code: "bad_request"},
	{name: "two payloads", says: of(`"publish":{"channel":"a:1","text":"x","data":1}`), code: "bad_request"},
	{name: "no Base64", says: of(`"publish":{"channel":"a:1","base64":"?"}`), code: "bad_request"},
	{name: "half a surrogate pair", says: of(`"publish":{"channel":"a:1","text":"\ud800"}`), code: "bad_request"},
	{name: "a message that is too large", says: of(`"publish":{"channel":"a:1","text":"HUGE"}`), code: "too_large"},
	{name: "a key that is too long", says: of(`"publish":{"channel":"a:1","text":"x","key":"LONG"}`), code: "too_large"},
	{name: "too many tags", says: of(`"publish":{"channel":"a:1","text":"x","tags":{"1LONG":"LONG","2LONG":"LONG"}}`), code: "too_large"},
	{name: "a negative ttl", says: of(`"publish":{"channel":"a:1","text":"x","ttl":-1}`), code: "bad_request"},
	{name: "more than there may be", says: `[{"id":3,"publish":{"channel":"paced:2","text":"x"}},{"id":7,"publish":{"channel":"paced:2","text":"x"}}]`, code: "too_fast"},
	{name: "a pattern to publish in", says: of(`"publish":{"channel":"a:*","text":"x"}`), code: "bad_channel"},
	{name: "no new token", says: of(`"refresh":{}`), code: "bad_token"},
	{name: "a new token that is forged", says: of(`"refresh":{"token":"FORGED"}`), code: "bad_token"},
	{name: "a new token that has expired", says: of(`"refresh":{"token":"EXPIRED"}`), code: "token_expired"},
	{name: "a new token of another user", says: of(`"refresh":{"token":"SOMEBODY"}`), code: "bad_token"},
	{name: "too many mistakes", says: "[" + strings.Repeat(`{},`, 20) + "{}]", code: "bad_request", closes: 1008},
	{name: "a binary message", says: of(`"ping":{}`), binary: true, closes: 1003},
	{name: "no UTF-8", says: of(`"publish":{"channel":"a:1","text":"\xff"}`), closes: 1007},
	{name: "a message that is too long", says: of(`"publish":{"channel":"a:1","text":"BODY"}`), closes: 1009},

	{name: "a command before the connect", before: true, says: of(`"ping":{}`), code: "bad_request"},
	{name: "a connect with a session that is too short", before: true, says: of(`"connect":{"token":"TOKEN","session":"x"}`), code: "bad_request"},
	{name: "no token", before: true, says: of(`"connect":{}`), code: "bad_token", closes: 4401},
	{name: "a forged token", before: true, says: of(`"connect":{"token":"FORGED"}`), code: "bad_token", closes: 4401},
	{name: "an unsigned token", before: true, says: of(`"connect":{"token":"UNSIGNED"}`), code: "bad_token", closes: 4401},
	{name: "a token of another algorithm", before: true, says: of(`"connect":{"token":"OTHERALG"}`), code: "bad_token", closes: 4401},
	{name: "a token of another key", before: true, says: of(`"connect":{"token":"OTHERKEY"}`), code: "bad_token", closes: 4401},
	{name: "an expired token", before: true, says: of(`"connect":{"token":"EXPIRED"}`), code: "token_expired", closes: 4401},
	{name: "a binary message first", before: true, says: "x", binary: true, closes: 1003},
}

// command says something over a connection of its own that has subscribed to
// "room", and sees that it goes on if it may.
func (m *misuse) command(c misuseCommand) {
	m.t.Helper()
	conn := m.dial()
	defer conn.Close()
	next := listen(m.t, conn)
	// until reads until an object has a key, or the end.
	until := func(key string) (string, error) {
		for {
			o, err := next()
			if err != nil {
				return "", err
			}
			if v, ok := o[key]; ok {
				return string(v), nil
			}
			if key == "" {
				whole, err := json.Marshal(o)
				return string(whole), err
			}
		}
	}
	join := func() {
		m.t.Helper()
		say(m.t, conn, m.names.Replace(`[{"id":1,"connect":{"token":"TOKEN"}},{"id":2,"subscribe":{"channel":"room"}}]`))
		if got, err := until("subscribed"); err != nil {
			m.t.Fatalf("%s: %s %v", c.name, got, err)
		}
	}
	if !c.before {
		join()
	}
	kind := websocket.TextMessage
	if c.binary {
		kind = websocket.BinaryMessage
	}
	if err := conn.WriteMessage(kind, []byte(m.names.Replace(c.says))); err != nil {
		m.t.Fatal(err)
	}
	switch {
	case c.code != "":
		got, err := until("error")
		if err != nil || !strings.Contains(got, fmt.Sprintf(`"code":%q`, c.code)) {
			m.t.Errorf("%s: %s %v", c.name, got, err)
		}
		if (c.code == hub.TooFast) != strings.Contains(got, `"retry":`) {
			m.t.Errorf("%s: %s", c.name, got)
		}
	case c.reply != "":
		if got, err := until(""); err != nil || !strings.Contains(got, c.reply) {
			m.t.Errorf("%s: %s %v", c.name, got, err)
		}
	}
	if c.closes != 0 {
		_, err := until("nothing else")
		if !websocket.IsCloseError(err, c.closes) {
			m.t.Errorf("%s: the end is %v", c.name, err)
		}
		m.lost()
		return
	}
	if c.before {
		join()
	}
	m.lost()
	want := fmt.Sprintf(`"text":"number %d"`, m.published)
	got, err := until("message")
	for err == nil && !strings.HasPrefix(got, `{"channel":"room",`) {
		got, err = until("message")
	}
	if err != nil || !strings.Contains(got, want) {
		m.t.Errorf("%s: afterwards %s %v", c.name, got, err)
	}
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(misuseTimeout))
}
