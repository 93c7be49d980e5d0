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
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// decoderInput is a request that is deep, wide or long where something is decoded.
type decoderInput struct {
	name    string
	request string // the whole of it; Host and Connection are added to a head that ends in one CRLF
	status  []int  // any of these answers it
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

var decoderInputs = []decoderInput{
	// The head of a request.
	{"a long method", repeat("M", 20<<10) + " / HTTP/1.1\r\n", []int{400, 404, 405, 414, 501}},
	{"a long target", getRequest("/"+repeat("a", 17<<10), ""), []int{414}},
	{"a deep target", getRequest(repeat("/a", 7<<10), ""), []int{404}},
	{"a target of escapes", getRequest("/"+repeat("%61", 5<<10), ""), []int{404}},
	{"a long field", getRequest("/", "X: "+repeat("a", 70<<10)+"\r\n"), []int{431}},
	{"many fields", getRequest("/", several("X-%d: a\r\n", 101)), []int{431}},
	{"a long chunk extension", chunked("1;" + repeat("a", 300) + "\r\n{\r\n0\r\n\r\n"), []int{400}},
	{"many chunk extensions", chunked(repeat("1;aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n \r\n", 1000) + "0\r\n\r\n"), []int{400}},
	{"chunks of one byte", chunked(repeat("1\r\n \r\n", 100_000) + "0\r\n\r\n"), []int{400}},
	{"long trailers", chunked("1\r\n{\r\n0\r\n" + several("X-%d: "+repeat("a", 100)+"\r\n", 1000) + "\r\n"), []int{400, 431}},

	// Lists in fields, which share the 64 KiB of the head.
	{"a wide Cookie", getRequest("/hub/poll?ch=a&wait=0", "Cookie: "+repeat("a=b;", 15<<10)+"\r\n"), []int{200}},
	{"a wide Accept", getRequest("/hub/poll?ch=a&wait=0", "Accept: "+repeat("a/b,", 15<<10)+"\r\n"), []int{200}},
	{"a wide Accept-Encoding", getRequest("/hub/poll?ch=a&wait=0", "Accept-Encoding: "+repeat("gzip,", 12<<10)+"\r\n"), []int{200}},
	{"a wide Prefer", getRequest("/hub/poll?ch=a&wait=0", "Prefer: "+repeat("wait=0,", 8<<10)+"\r\n"), []int{200}},
	{"a wide If-None-Match", getRequest("/hub/poll?ch=a&wait=0", "If-None-Match: "+repeat(`"a",`, 15<<10)+"\r\n"), []int{200, 400}},
	{"a wide Range", getRequest("/hub/client.js", "Range: bytes="+repeat("0-0,", 15<<10)+"\r\n"), []int{200, 206, 416, 404}},
	{"a wide Forwarded", getRequest("/hub/poll?ch=a&wait=0", "Forwarded: "+repeat("for=a,", 10<<10)+"\r\n"), []int{200}},
	{"a wide Upgrade", getRequest("/hub/ws", "Connection: upgrade\r\nUpgrade: "+repeat("a,", 30<<10)+"\r\n"), []int{400, 404, 426}},
	{"many subprotocols", getRequest("/hub/ws", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: gale.hub.v1, "+several("a%d,", 1000)+"b\r\n"), []int{400}},

	// What a hub is asked for.
	{"many parameters", getRequest("/hub/poll?"+repeat("a&", 7<<10), ""), []int{400}},
	{"many channels", getRequest("/hub/poll?wait=0"+several("&ch=c%d", 129), ""), []int{400}},
	{"many channels in a list", getRequest("/hub/sse?ch="+several("c%d,", 128)+"c", ""), []int{400}},
	{"a long channel", getRequest("/hub/poll?wait=0&ch="+repeat("a", 10<<10), ""), []int{400}},
	{"a long cursor", getRequest("/hub/poll?wait=0&ch=a&cursor="+repeat("a", 15<<10), ""), []int{400}},
	{"a long Last-Event-ID", getRequest("/hub/sse?ch=a", "Last-Event-ID: "+repeat("a", 60<<10)+"\r\n"), []int{200, 400}},
	{"a wide after", getRequest("/hub/poll?wait=0&ch=a&after="+repeat("e:1,", 3<<10), ""), []int{400}},
	{"a long number", getRequest("/hub/poll?ch=a&wait=0&limit="+repeat("9", 10<<10), ""), []int{200, 400}},
	{"a long name", getRequest("/hub/poll?wait=0&ch=a&sid="+repeat("a", 65), ""), []int{400}},

	// Tokens.
	{"a long token", getRequest("/hub/poll?wait=0&ch=a", bearer+token(hs256, `{"sub":"`+repeat("a", 30<<10)+`"}`)+"\r\n"), []int{401}},
	{"a deep token", getRequest("/hub/poll?wait=0&ch=a", bearer+token(hs256, repeat("[", 5<<10))+"\r\n"), []int{401}},
	{"a deep head of a token", getRequest("/hub/poll?wait=0&ch=a", bearer+token(`{"alg":`+repeat("[", 5<<10), "{}")+"\r\n"), []int{401}},
	{"a token with many claims", getRequest("/hub/poll?wait=0&ch=a", bearer+token(hs256, `{"aud":["a"`+repeat(`,"a"`, 1<<10)+`]}`)+"\r\n"), []int{401}},

	// Bodies.
	{"a long message", postRequest("/hub/publish", "", `{"channel":"a","text":"`+repeat("a", 600<<10)+`"}`), []int{413}},
	{"a message of escapes", postRequest("/hub/publish", "", `{"channel":"a","text":"`+repeat(`\u0061`, 65<<10)+`"}`), []int{413}},
	{"a deep message", postRequest("/hub/publish", "", `{"channel":"a","data":`+repeat("[", 10_001)+repeat("]", 10_001)+`}`), []int{400}},
	{"a deep body", postRequest("/hub/publish", "", repeat("[", 100_000)), []int{400}},
	{"a wide message", postRequest("/hub/publish", "", `{"channel":"a","tags":{"a":""`+several(`,"a%d":""`, 20_000)+`},"text":"a"}`), []int{400, 413}},
	{"a deep message in base64", postRequest("/hub/publish", "", `{"channel":"a","base64":"`+
		base64.StdEncoding.EncodeToString([]byte(repeat("[", 10_000)))+`"}`), []int{200, 400}},
	{"many publications", postRequest("/hub/api/batch", keyed, `{"publications":[{}`+repeat(",{}", 300_000)+`]}`), []int{400}},
	{"many channels of a broadcast", postRequest("/hub/api/broadcast", keyed, `{"text":"a","channels":["a"`+repeat(`,"a"`, 200_000)+`]}`), []int{400}},
	{"a long body of the API", postRequest("/hub/api/publish", keyed, `{"text":"`+repeat("a", 2<<20)+`"}`), []int{413}},
	{"a key that is long", postRequest("/hub/api/publish", bearer+repeat("a", 50<<10)+"\r\n", "{}"), []int{401}},
}

// TestDecoders has servers decode what is deep, wide and long. Each is refused in
// words, or served like any other; the memory of the server shows what it took.
func TestDecoders(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			cmd := command(t, []string{"GALE_API_KEYS=key-of-the-test-123456", "GALE_JWT_SECRET=" + repeat("s", 64), "GOGC=100", "GOMEMLIMIT=64MiB"},
				"serve", "--addr", "127.0.0.1:0", "--engine", engine, "--anonymous", "all")
			p := serveCommand(t, cmd)
			for _, in := range decoderInputs {
				status := p.exchange(in.request)
				if !slices.Contains(in.status, status) {
					t.Errorf("%s: status %d, want one of %v", in.name, status, in.status)
				}
			}
			for _, in := range webSocketInputs {
				got := p.converse(in.send)
				if !regexp.MustCompile(in.says).MatchString(got) {
					t.Errorf("WebSocket, %s: %.200q, want %s", in.name, got, in.says)
				}
			}
			if status := p.exchange(getRequest("/hub/poll?ch=a&wait=0", "")); status != 200 {
				t.Errorf("afterwards: status %d", status)
			}
			if peak := p.peakBytes(); peak > 192<<20 {
				t.Errorf("the server took %d MiB", peak>>20)
			} else {
				t.Logf("the server took %d MiB", peak>>20)
			}
		})
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

// webSocketInputs are messages in one or several frames, and what the last word of the
// hub is like: the code of a close, or its answer.
var webSocketInputs = []struct {
	name string
	send func(c *websocket.Conn) error
	says string
}{
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

func oneMessage(text string) func(c *websocket.Conn) error {
	return func(c *websocket.Conn) error { return c.WriteMessage(websocket.TextMessage, []byte(text)) }
}

// converse sends to the hub and returns the first answer that tells of an error, or
// how the connection was closed.
func (p *process) converse(send func(c *websocket.Conn) error) string {
	p.t.Helper()
	c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+"/hub/ws", nil)
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
