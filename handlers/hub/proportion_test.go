package hub_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
)

// TestProportion: what is bounded only by the head or the message that it is in takes
// memory in proportion to it. An input sixteen times as large takes less than 64 times
// the memory, since slices grow in steps; one of squares would take 256 times.
func TestProportion(t *testing.T) {
	const small, large = 4 << 10, 64 << 10
	h := newHub(t, hub.Config{MaxPublishBytes: 1 << 20, PublishRate: -1})
	anyone := hub.Anyone(hub.Everything)
	friends := []string{"https://*.friend.example"}
	polls, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: anyone, AllowedOrigins: friends})
	if err != nil {
		t.Fatal(err)
	}
	streams, err := sse.New(sse.Config{Hub: h, Authenticate: anyone, AllowedOrigins: friends})
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := socket.New(socket.Config{Hub: h, Authenticate: anyone, MaxMessageBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	publish, err := api.NewPublish(api.PublishConfig{Hub: h, Authenticate: anyone})
	if err != nil {
		t.Fatal(err)
	}
	get := func(handler asgi.Handler, target string, fields ...asgi.Header) {
		x := asgitest.New(t, handler, asgitest.HTTPScope("GET", target, fields...))
		x.Deliver(&asgi.HTTPRequest{}, &asgi.HTTPDisconnect{})
	}
	post := func(body string) {
		x := asgitest.New(t, publish, asgitest.HTTPScope("POST", "/", asgi.Header{Name: "content-type", Value: "application/json"}))
		x.Deliver(&asgi.HTTPRequest{Body: []byte(body)}, &asgi.HTTPDisconnect{})
	}
	say := func(message string) {
		x := asgitest.New(t, sockets, asgitest.WebSocketScope("/"))
		x.Deliver(&asgi.WebSocketConnect{}, &asgi.WebSocketReceive{Kind: asgi.Text, Data: []byte(message)}, &asgi.WebSocketDisconnect{Code: 1000})
	}
	field := func(name, part string) func(n int) {
		return func(n int) {
			value := strings.Repeat(part, n/len(part))
			get(polls, "/?ch=a&wait=0", asgi.Header{Name: name, Value: value})
			get(streams, "/?ch=a", asgi.Header{Name: name, Value: value})
		}
	}
	query := func(part string) func(n int) {
		return func(n int) {
			value := strings.Repeat(part, n/len(part))
			get(polls, "/?ch=a&wait=0"+value)
			get(streams, "/?ch=a"+value)
		}
	}
	for name, decode := range map[string]func(n int){
		"If-None-Match":        field("if-none-match", `"a",`),
		"Prefer":               field("prefer", "wait=1;a,"),
		"a quoted Prefer":      field("prefer", `a="\"`),
		"Last-Event-ID":        field("last-event-id", "a"),
		"Origin":               field("origin", "https://a."),
		"Authorization":        field("authorization", "Bearer "),
		"equal parameters":     query("&a"),
		"escapes":              query("&%61=%61"),
		"channels":             query("&ch=a"),
		"places":               query("&after=e:1,"),
		"different parameters": func(n int) { get(streams, "/?ch=a"+numbered("&%d", n/6)) },
		"a payload":            func(n int) { post(`{"channel":"b","text":"` + strings.Repeat("a", n) + `"}`) },
		"a payload of escapes": func(n int) { post(`{"channel":"b","text":"` + strings.Repeat(`\u0061`, n/6) + `"}`) },
		"a payload in base64":  func(n int) { post(`{"channel":"b","base64":"` + strings.Repeat("AAAA", n/4) + `"}`) },
		"a payload of lists":   func(n int) { post(`{"channel":"b","data":[0` + strings.Repeat(",[]", n/3) + `]}`) },
		"a payload of keys":    func(n int) { post(`{"channel":"b","data":{"a":0` + numbered(`,"%d":0`, n/10) + `}}`) },
		"tags":                 func(n int) { post(`{"channel":"b","text":"a","tags":{"a":""` + numbered(`,"%d":""`, n/10) + `}}`) },
		"unknown keys":         func(n int) { post(`{"channel":"b","text":"a"` + strings.Repeat(`,"a":0`, n/6) + `}`) },
		"depth": func(n int) {
			post(`{"channel":"b","data":` + strings.Repeat("[", n/2) + strings.Repeat("]", n/2) + `}`)
		},
		"commands":           func(n int) { say("[{}" + strings.Repeat(",{}", n/3) + "]") },
		"keys of a command":  func(n int) { say(`{"id":1` + numbered(`,"%d":0`, n/10) + `}`) },
		"depth of a command": func(n int) { say(strings.Repeat("[", n)) },
		"a token":            func(n int) { say(`{"id":1,"connect":{"token":"` + strings.Repeat("a", n) + `"}}`) },
		"a command's payload": func(n int) {
			say(`[{"id":1,"connect":{}},{"id":2,"publish":{"channel":"b","data":[0` + strings.Repeat(",[]", n/3) + `]}}]`)
		},
	} {
		took := func(n int) uint64 {
			decode(n) // with it comes what is made once
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			decode(n)
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		few, many := took(small), took(large)
		if t.Logf("%s: %d bytes take %d, %d take %d", name, small, few, large, many); many > 64*few+large || many > 128*large {
			t.Errorf("%s: %d bytes take %d, %d take %d", name, small, few, large, many)
		}
	}
}

// numbered is n parts, each with its number for %d.
func numbered(part string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, part, i)
	}
	return b.String()
}
