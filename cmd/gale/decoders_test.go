package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// decoderInput is a request that is deep, wide or long where something is decoded.
type decoderInput struct {
	name    string
	request string // the whole of it; Host and Connection are added to a head that ends in one CRLF
	status  []int  // any of these answers it
	limit   string // what bounds it: words of the line in the README's table
}

// What a request shows as its right.
const (
	bearer = "Authorization: Bearer "
	keyed  = bearer + "key-of-the-test-123456\r\n"
)

func getRequest(target, fields string) string { return "GET " + target + " HTTP/1.1\r\n" + fields }

func postRequest(target, fields, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		target, fields, len(body), body)
}

// chunked is a body in chunks, to a target that reads it.
func chunked(chunks string) string {
	return "POST /hub/publish HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
}

// framed is a request with a body, of which a field says where it ends.
func framed(field string) string {
	return "POST /hub/publish HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + field + "\r\n\r\n"
}

// handshake asks for a WebSocket of the hub.
func handshake(field string) string {
	return getRequest("/hub/ws", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+field+"\r\n")
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// several is n parts, each with its number for %d.
func several(part string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, part, i)
	}
	return b.String()
}

func token(header, claims string) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(claims)) + "." + e.EncodeToString(make([]byte, 32))
}

const hs256 = `{"alg":"HS256"}`

var decoderInputs = sync.OnceValue(func() []decoderInput {
	return []decoderInput{
		// The head of a request.
		{"a long method", repeat("M", 20<<10) + " / HTTP/1.1\r\n", []int{400, 404, 405, 414, 501}, "request head"},
		{"a long target", getRequest("/"+repeat("a", 17<<10), ""), []int{414}, "request target"},
		{"a deep target", getRequest(repeat("/a", 7<<10), ""), []int{404}, "request target"},
		{"a target of escapes", getRequest("/"+repeat("%61", 5<<10), ""), []int{404}, "request target"},
		{"a long field", getRequest("/", "X: "+repeat("a", 70<<10)+"\r\n"), []int{431}, "request head"},
		{"many fields", getRequest("/", several("X-%d: a\r\n", 101)), []int{431}, "fields of a head"},
		{"a long chunk extension", chunked("1;" + repeat("a", 300) + "\r\n{\r\n0\r\n\r\n"), []int{400}, "extensions of a chunk"},
		{"many chunk extensions", chunked(repeat("1;aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n \r\n", 1000) + "0\r\n\r\n"), []int{400}, "chunk extensions of a body"},
		{"chunks of one byte", chunked(repeat("1\r\n \r\n", 100_000) + "0\r\n\r\n"), []int{400}, "body of a request to the API"},
		{"long trailers", chunked("1\r\n{\r\n0\r\n" + several("X-%d: "+repeat("a", 100)+"\r\n", 1000) + "\r\n"), []int{400, 431}, "trailers of a request"},

		{"a head of as many fields as may be", getRequest("/hub/poll?ch=a&wait=0", several("X-%d: a\r\n", 98)), []int{200}, "fields of a head"},
		{"a long version", "GET / HTTP/1." + repeat("1", 20<<10) + "\r\n", []int{400, 414, 505}, "request head"},
		{"a long Host", "GET / HTTP/1.1\r\nHost: " + repeat("a", 50<<10) + "\r\nConnection: close\r\n\r\n", []int{400, 404}, "request head"},
		{"many Hosts", getRequest("/", repeat("Host: a\r\n", 90)), []int{400}, "fields of a head"},
		{"a long Content-Length", framed("Content-Length: " + repeat("1", 50<<10)), []int{400, 413}, "request head"},
		{"a Content-Length of zeros", framed("Content-Length: " + repeat("0", 50<<10)), []int{400}, "request head"},
		{"a wide Content-Length", framed("Content-Length: 0" + repeat(",0", 25<<10)), []int{400}, "lists in fields"},
		{"a wide Transfer-Encoding", framed("Transfer-Encoding: " + repeat("chunked,", 7<<10) + "chunked"), []int{400, 501}, "lists in fields"},
		{"a wide Connection", "GET /hub/poll?ch=a&wait=0 HTTP/1.1\r\nHost: a\r\nConnection: close" + repeat(",a", 30<<10) + "\r\n\r\n", []int{200}, "lists in fields"},
		{"a wide TE", getRequest("/hub/poll?ch=a&wait=0", "TE: "+repeat("a,", 30<<10)+"\r\n"), []int{200}, "lists in fields"},
		{"a wide Expect", framed("Content-Length: 0\r\nExpect: " + repeat("100-continue,", 4<<10)), []int{400, 417}, "lists in fields"},
		{"a long size of a chunk", chunked(repeat("0", 20<<10) + "1\r\n{\r\n0\r\n\r\n"), []int{400, 413}, "extensions of a chunk"},
		{"a size of a chunk beyond numbers", chunked("FFFFFFFFFFFFFFFFF\r\n{"), []int{400, 413}, "extensions of a chunk"},

		// Lists in fields, which share the 64 KiB of the head.
		{"a wide Cookie", getRequest("/hub/poll?ch=a&wait=0", "Cookie: "+repeat("a=b;", 15<<10)+"\r\n"), []int{200}, "lists in fields"},
		{"a wide Accept", getRequest("/hub/poll?ch=a&wait=0", "Accept: "+repeat("a/b,", 15<<10)+"\r\n"), []int{200}, "lists in fields"},
		{"a wide Accept-Encoding", getRequest("/hub/poll?ch=a&wait=0", "Accept-Encoding: "+repeat("gzip,", 12<<10)+"\r\n"), []int{200}, "lists in fields"},
		{"a wide Prefer", getRequest("/hub/poll?ch=a&wait=0", "Prefer: "+repeat("wait=0,", 8<<10)+"\r\n"), []int{200}, "lists in fields"},
		{"a wide If-None-Match", getRequest("/hub/poll?ch=a&wait=0", "If-None-Match: "+repeat(`"a",`, 15<<10)+"\r\n"), []int{200, 400}, "lists in fields"},
		{"a wide Range", getRequest("/hub/client.js", "Range: bytes="+repeat("0-0,", 15<<10)+"\r\n"), []int{200, 206, 416, 404}, "lists in fields"},
		{"a wide Forwarded", getRequest("/hub/poll?ch=a&wait=0", "Forwarded: "+repeat("for=a,", 10<<10)+"\r\n"), []int{200}, "lists in fields"},
		{"a wide X-Forwarded-For", getRequest("/hub/poll?ch=a&wait=0", "X-Forwarded-For: "+repeat("10.0.0.1,", 7<<10)+"\r\n"), []int{200}, "proxies in"},
		{"a wide Upgrade", getRequest("/hub/ws", "Connection: upgrade\r\nUpgrade: "+repeat("a,", 30<<10)+"\r\n"), []int{400, 404, 426}, "lists in fields"},
		{"many subprotocols", getRequest("/hub/ws", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: gale.hub.v1, "+several("a%d,", 1000)+"b\r\n"), []int{400}, "subprotocols that a client offers"},

		{"as many subprotocols as may be", handshake("Sec-WebSocket-Protocol: gale.hub.v1" + several(",a%d", 63)), []int{101}, "subprotocols that a client offers"},
		{"one subprotocol more", handshake("Sec-WebSocket-Protocol: gale.hub.v1" + several(",a%d", 64)), []int{400}, "subprotocols that a client offers"},
		{"a long subprotocol", handshake("Sec-WebSocket-Protocol: gale.hub.v1, " + repeat("a", 50<<10)), []int{101}, "request head"},
		{"wide Sec-WebSocket-Extensions", handshake("Sec-WebSocket-Extensions: permessage-deflate" + repeat(";a=b,a", 9<<10)), []int{101}, "lists in fields"},
		{"a long Sec-WebSocket-Key", getRequest("/hub/ws", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: "+repeat("A", 50<<10)+"==\r\n"), []int{400}, "request head"},
		{"a long Sec-WebSocket-Version", getRequest("/hub/ws", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "+repeat("0", 50<<10)+"13\r\n"+
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"), []int{400, 426}, "request head"},
		{"a long Origin of a handshake", handshake("Origin: https://" + repeat("a", 254) + ".friend.example"), []int{403}, "name of the host"},
		{"a long Origin", getRequest("/hub/poll?ch=a&wait=0", "Origin: https://"+repeat("a.", 25<<10)+"friend.example\r\n"), []int{200}, "name of the host"}, // for no page to read
		{"an Origin as long as may be", getRequest("/hub/poll?ch=a&wait=0", "Origin: https://"+repeat("a", 253-len(".friend.example"))+".friend.example\r\n"),
			[]int{200}, "name of the host"},
		{"a wide preflight", "OPTIONS /hub/poll HTTP/1.1\r\nOrigin: https://a.friend.example\r\nAccess-Control-Request-Method: GET\r\n" +
			"Access-Control-Request-Headers: " + repeat("a,", 25<<10) + "\r\n", []int{204}, "lists in fields"},

		// What a hub is asked for.
		{"as many channels as may be", getRequest("/hub/poll?wait=0"+several("&ch=c%d", 128), ""), []int{200}, "subscriptions of a client"},
		{"a name as long as may be", getRequest("/hub/poll?wait=0&ch=a&sid="+repeat("a", 64), ""), []int{200}, "a cursor"},
		{"a channel as long as may be", getRequest("/hub/poll?wait=0&ch="+repeat("a", 255), ""), []int{200}, "name of a channel"},
		{"a channel that is longer", getRequest("/hub/poll?wait=0&ch="+repeat("a", 256), ""), []int{400}, "name of a channel"},
		{"a wide last", getRequest("/hub/poll?wait=0&ch=a&last="+repeat("1,", 7<<10), ""), []int{400}, "subscriptions of a client"},
		{"a long wait", getRequest("/hub/poll?limit=1&last=1&ch=a&wait="+repeat("0", 10<<10), ""), []int{200}, "request target"},
		{"a token in a long query", getRequest("/hub/poll?wait=0&ch=a&token="+repeat("a", 14<<10), ""), []int{401}, "a token"},
		{"many parameters", getRequest("/hub/poll?"+repeat("a&", 7<<10), ""), []int{400}, "parameters"},
		{"many channels", getRequest("/hub/poll?wait=0"+several("&ch=c%d", 129), ""), []int{400}, "subscriptions of a client"},
		{"many channels in a list", getRequest("/hub/sse?ch="+several("c%d,", 128)+"c", ""), []int{400}, "subscriptions of a client"},
		{"a long channel", getRequest("/hub/poll?wait=0&ch="+repeat("a", 10<<10), ""), []int{400}, "name of a channel"},
		{"a long cursor", getRequest("/hub/poll?wait=0&ch=a&cursor="+repeat("a", 15<<10), ""), []int{400}, "a cursor"},
		{"a long Last-Event-ID", getRequest("/hub/sse?ch=a", "Last-Event-ID: "+repeat("a", 60<<10)+"\r\n"), []int{200, 400}, "a cursor"},
		{"a wide after", getRequest("/hub/poll?wait=0&ch=a&after="+repeat("e:1,", 3<<10), ""), []int{400}, "subscriptions of a client"},
		{"a long number", getRequest("/hub/poll?ch=a&wait=0&limit="+repeat("9", 10<<10), ""), []int{200, 400}, "request target"},
		{"a long name", getRequest("/hub/poll?wait=0&ch=a&sid="+repeat("a", 65), ""), []int{400}, "a cursor"},

		// Tokens.
		{"a long token", getRequest("/hub/poll?wait=0&ch=a", bearer+token(hs256, `{"sub":"`+repeat("a", 30<<10)+`"}`)+"\r\n"), []int{401}, "a token"},
		{"a deep token", getRequest("/hub/poll?wait=0&ch=a", bearer+token(hs256, repeat("[", 5<<10))+"\r\n"), []int{401}, "a token"},
		{"a deep head of a token", getRequest("/hub/poll?wait=0&ch=a", bearer+token(`{"alg":`+repeat("[", 5<<10), "{}")+"\r\n"), []int{401}, "nesting of JSON in the head"},
		{"a token with many claims", getRequest("/hub/poll?wait=0&ch=a", bearer+token(hs256, `{"aud":["a"`+repeat(`,"a"`, 1<<10)+`]}`)+"\r\n"), []int{401}, "a token"},

		// Bodies.
		{"a long message", postRequest("/hub/publish", "", `{"channel":"a","text":"`+repeat("a", 600<<10)+`"}`), []int{413}, "body of a publication"},
		{"a message of escapes", postRequest("/hub/publish", "", `{"channel":"a","text":"`+repeat(`\u0061`, 65<<10)+`"}`), []int{413}, "a message in a channel"},
		{"a deep message", postRequest("/hub/publish", "", `{"channel":"a","data":`+repeat("[", 10_001)+repeat("]", 10_001)+`}`), []int{400}, "nesting of JSON in a message"},
		{"a deep body", postRequest("/hub/publish", "", repeat("[", 100_000)), []int{400}, "nesting of JSON in a message"},
		{"a wide message", postRequest("/hub/publish", "", `{"channel":"a","tags":{"a":""`+several(`,"a%d":""`, 20_000)+`},"text":"a"}`), []int{400, 413}, "keys of an object"},
		{"a deep message in base64", postRequest("/hub/publish", "", `{"channel":"a","base64":"`+
			base64.StdEncoding.EncodeToString([]byte(repeat("[", 10_000)))+`"}`), []int{200, 400}, "nesting of JSON in a message"},
		{"a message as deep as may be", postRequest("/hub/publish", "", `{"channel":"a","data":`+repeat("[", 64)+repeat("]", 64)+`}`), []int{200}, "nesting of JSON in a message"},
		{"a message that is deeper", postRequest("/hub/publish", "", `{"channel":"a","data":`+repeat("[", 65)+repeat("]", 65)+`}`), []int{400}, "nesting of JSON in a message"},
		{"a message with many keys", postRequest("/hub/publish", "", `{"channel":"a","data":{"a":0`+several(`,"%d":0`, 6000)+`}}`), []int{200}, "keys of an object"},
		{"a message with one key more", postRequest("/hub/publish", "", `{"channel":"a","data":{"a":0`+several(`,"%d":0`, 8192)+`}}`), []int{400, 413}, "keys of an object"},
		{"a long key", postRequest("/hub/publish", "", `{"channel":"a","text":"a","key":"`+repeat("a", 256)+`"}`), []int{413}, "name of a channel"},
		{"long tags", postRequest("/hub/publish", "", `{"channel":"a","text":"a","tags":{"a":"`+repeat("a", 1024)+`"}}`), []int{413}, "name of a channel"},
		{"a long number in a message", postRequest("/hub/publish", "", `{"channel":"a","data":`+repeat("9", 60_000)+`}`), []int{400}, "a message in a channel"},
		{"a message in much base64", postRequest("/hub/publish", "", `{"channel":"a","base64":"`+repeat("AAAA", 60_000)+`"}`), []int{413}, "a message in a channel"},
		{"as many publications as may be", postRequest("/hub/api/batch", keyed, `{"publications":[{"channel":"a","text":"a"}`+repeat(`,{"channel":"a","text":"a"}`, 999)+`]}`),
			[]int{200}, "publications of a batch"},
		{"one publication more", postRequest("/hub/api/batch", keyed, `{"publications":[{"channel":"a","text":"a"}`+repeat(`,{"channel":"a","text":"a"}`, 1000)+`]}`),
			[]int{400}, "publications of a batch"},
		{"many publications", postRequest("/hub/api/batch", keyed, `{"publications":[{}`+repeat(",{}", 300_000)+`]}`), []int{400}, "publications of a batch"},
		{"many channels of a broadcast", postRequest("/hub/api/broadcast", keyed, `{"text":"a","channels":["a"`+repeat(`,"a"`, 200_000)+`]}`), []int{400}, "publications of a batch"},
		{"a long body of the API", postRequest("/hub/api/publish", keyed, `{"text":"`+repeat("a", 2<<20)+`"}`), []int{413}, "body of a request to the API"},
		{"a key that is long", postRequest("/hub/api/publish", bearer+repeat("a", 50<<10)+"\r\n", "{}"), []int{401}, "request head"},
	}
})

// TestDecoders has servers decode what is deep, wide and long. Each is refused in
// words, or served like any other; the memory of the server shows what it took.
func TestDecoders(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			cmd := command(t, []string{"GALE_API_KEYS=key-of-the-test-123456", "GALE_JWT_SECRET=" + repeat("s", 64), "GOGC=100", "GOMEMLIMIT=64MiB"},
				"serve", "--addr", "127.0.0.1:0", "--engine", engine, "--anonymous", "all", "--allowed-origins", "https://*.friend.example")
			p := serveCommand(t, cmd)
			p.decode(decoderInputs())
			for _, in := range webSocketInputs() {
				got := p.converse("/hub/ws", in.send)
				if !regexp.MustCompile(in.says).MatchString(got) {
					t.Errorf("WebSocket, %s: %.200q, want %s", in.name, got, in.says)
				}
			}
			if status := p.exchange(getRequest("/hub/poll?ch=a&wait=0", "")); status != 200 {
				t.Errorf("afterwards: status %d", status)
			}
			p.tookAtMost(192 << 20)
		})
	}
}

// decode sends all inputs, one after the other.
func (p *process) decode(inputs []decoderInput) {
	p.t.Helper()
	for _, in := range inputs {
		if status := p.exchange(in.request); !slices.Contains(in.status, status) {
			p.t.Errorf("%s: status %d, want one of %v", in.name, status, in.status)
		}
	}
}

// tookAtMost checks how much memory the process has had resident, in bytes.
func (p *process) tookAtMost(most int) {
	p.t.Helper()
	peak := p.peakBytes()
	if p.t.Logf("the server took %d MiB", peak>>20); peak > most {
		p.t.Errorf("that is more than %d MiB", most>>20)
	}
}

// TestDecodersHaveLimits: each input names a line in the README's table of limits.
func TestDecodersHaveLimits(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "## What holds by default")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, in := range slices.Concat(decoderInputs(), jobInputs()) {
		if in.limit == "" || !regexp.MustCompile(`(?m)^\| [^|]*`+regexp.QuoteMeta(in.limit)).MatchString(table) {
			t.Errorf("%s: the README has no limit of %q", in.name, in.limit)
		}
	}
}

// exchange sends a request and returns the status of its answer; 0 without one.
func (p *process) exchange(request string) int {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(waitLimit))
	if !strings.Contains(request, "\r\n\r\n") {
		request += "Host: a\r\n"
		if !strings.Contains(request, "Connection: ") {
			request += "Connection: close\r\n"
		}
		request += "\r\n"
	}
	go func() { _, _ = conn.Write([]byte(request)) }() // ends with conn; a refusal may come before the end of it
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		p.t.Logf("no answer to %.60q: %v", request, err)
		return 0
	}
	return r.StatusCode // its body may be a stream without end
}

// messageInput is one or several frames, and what the last word of the server is like:
// the code of a close, or its answer.
type messageInput struct {
	name string
	send func(c *websocket.Conn) error
	says string
}

// webSocketInputs are messages to the hub.
func webSocketInputs() []messageInput {
	return []messageInput{
		{"a long message", oneMessage(repeat(" ", 300<<10)), "close 1009"},
		{"a deep message", oneMessage(repeat("[", 100_000)), "deep|bad_request|close 1008"},
		{"a deep command", oneMessage(`{"id":1,"connect":{"token":` + repeat("[", 50_000) + repeat("]", 50_000) + `}}`), "deep|bad_request|close 1008"},
		{"a wide command", oneMessage(`{"id":1` + several(`,"k%d":1`, 15_000) + `}`), "bad_request|close 1008"},
		{"many commands", oneMessage(`[{}` + repeat(",{}", 60_000) + `]`), "close 1008"},
		{"a message of many fragments", func(c *websocket.Conn) error {
			w := c.NetConn()
			frame := []byte{0x01, 0x81, 0, 0, 0, 0, ' '} // masked with zero
			if _, err := w.Write(frame); err != nil {
				return err
			}
			frame[0] = 0x00
			if _, err := w.Write([]byte(repeat(string(frame), 100_000))); err != nil {
				return err
			}
			frame[0], frame[6] = 0x80, '{'
			_, err := w.Write(frame)
			return err
		}, "bad_request|close 1008"},
		{"a message of empty fragments", func(c *websocket.Conn) error {
			w := c.NetConn()
			frame := []byte{0x01, 0x80, 0, 0, 0, 0}
			if _, err := w.Write(frame); err != nil {
				return err
			}
			frame[0] = 0x00
			if _, err := w.Write([]byte(repeat(string(frame), 100_000))); err != nil {
				return err
			}
			frame[0] = 0x80
			_, err := w.Write(frame)
			return err
		}, "bad_request|close 1008"},
	}
}

func oneMessage(text string) func(c *websocket.Conn) error {
	return func(c *websocket.Conn) error { return c.WriteMessage(websocket.TextMessage, []byte(text)) }
}

// converse sends to a WebSocket and returns the first answer that tells of an error, or
// how the connection was closed.
func (p *process) converse(path string, send func(c *websocket.Conn) error) string {
	p.t.Helper()
	c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	_ = c.NetConn().SetDeadline(time.Now().Add(waitLimit))
	sent := make(chan error, 1)
	go func() { sent <- send(c) }() // ends with c
	for {
		_, message, err := c.ReadMessage()
		if closed, ok := err.(*websocket.CloseError); ok {
			return "close " + strconv.Itoa(closed.Code) + " " + closed.Text
		}
		if err != nil {
			return err.Error()
		}
		if strings.Contains(string(message), "error") && !strings.Contains(string(message), `"error":{"code":"bad_request","text":"\"id\"`) {
			return string(message)
		}
	}
}

// peakBytes is the most memory that the process has had resident.
func (p *process) peakBytes() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Skip("the system does not tell: ", err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		p.t.Fatal("no VmHWM")
	}
	kib, _ := strconv.Atoi(string(m[1]))
	return kib << 10
}
