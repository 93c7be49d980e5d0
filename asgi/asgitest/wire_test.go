package asgitest

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
)

// served connects a wire to a server that says exactly this, and closes.
func served(t *testing.T, r *recorder, says string) *wire {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close() })
	go func() { // ends when the client has read, or has gone
		server.Write([]byte(says))
		server.Close()
	}()
	return newWire(r, client)
}

// Fatalf ends the goroutine, as a test's does.
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Helper() {}

// judge runs a client against what a server says, and returns its findings.
func judge(t *testing.T, says string, client func(w *wire)) string {
	t.Helper()
	r := &recorder{TB: t}
	w := served(t, r, says)
	done := make(chan struct{})
	go func() {
		defer close(done)
		client(w)
	}()
	<-done
	return strings.Join(r.failures(), "\n")
}

// The client must find what is wrong with a response, and nothing wrong with a
// good one.
func TestWireJudgesResponses(t *testing.T) {
	whole := func(method string) func(w *wire) {
		return func(w *wire) { w.response(method).is(200, "ok"); w.ends() }
	}
	truncated := func(w *wire) { w.response("GET").truncated(); w.ends() }
	for name, test := range map[string]struct {
		says   string
		client func(w *wire)
		want   string
	}{
		"length":             {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", whole("GET"), ""},
		"chunks":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", whole("GET"), ""},
		"close":              {"HTTP/1.1 200 OK\r\n\r\nok", whole("GET"), ""},
		"more than length":   {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokx", whole("GET"), `more comes: "x"`},
		"less than length":   {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", whole("GET"), "unexpected EOF"},
		"no last chunk":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", whole("GET"), "unexpected EOF"},
		"cut chunk":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no", whole("GET"), "unexpected EOF"},
		"bad chunk size":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n", whole("GET"), "bad chunk size"},
		"chunk without CRLF": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokxx0\r\n\r\n", whole("GET"), "chunk without its CRLF"},
		"both framings":      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", whole("GET"), "framing is both"},
		"two lengths":        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", whole("GET"), "2 fields content-length"},
		"bare LF":            {"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", whole("GET"), "not ended by CRLF alone"},
		"space before colon": {"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", whole("GET"), "bad field line"},
		"body of HEAD":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", func(w *wire) { w.response("HEAD"); w.ends() }, "more comes"},
		"body of 204":        {"HTTP/1.1 204 No Content\r\n\r\nok", func(w *wire) { w.response("GET"); w.ends() }, "more comes"},
		"interim":            {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok", whole("GET"), "interim response 100"},
		"nothing":            {"", whole("GET"), "no response"},
		"status":             {"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nok", whole("GET"), "response 500"},
		"body":               {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", whole("GET"), `body "no"`},
		"truncated":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", truncated, ""},
		"not truncated":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", truncated, "as if it were complete"},
		"clean close":        {"HTTP/1.1 200 OK\r\n\r\nhalf", truncated, "as if it were complete"},
		"field": {"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n",
			func(w *wire) { w.response("GET").has("x-a", "1", "2").has("x-b") }, ""},
		"other field": {"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n",
			func(w *wire) { w.response("GET").has("x-a") }, `field x-a is ["1"], want []`},
		"framing": {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			func(w *wire) { w.response("GET").framed("chunked") }, `framed by "length", want "chunked"`},
	} {
		t.Run(name, func(t *testing.T) {
			CheckGoroutines(t)
			got := judge(t, test.says, test.client)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("the client finds %q, want %q", got, test.want)
			}
		})
	}
}

func TestWireJudgesFrames(t *testing.T) {
	switching := func(accept, rest string) string {
		return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: " + accept + "\r\n" + rest + "\r\n"
	}
	const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // RFC 6455 section 1.3
	message := func(w *wire) { w.switched(); w.message(opText, "ok") }
	for name, test := range map[string]struct {
		says   string
		client func(w *wire)
		want   string
	}{
		"message":         {switching(accept, "") + "\x81\x02ok", message, ""},
		"fragments":       {switching(accept, "") + "\x01\x01o\x80\x01k", message, ""},
		"long":            {switching(accept, "") + "\x81\x7e\x00\x80" + strings.Repeat("x", 128), func(w *wire) { w.switched(); w.message(opText, strings.Repeat("x", 128)) }, ""},
		"other accept":    {switching("x"+accept, "") + "\x81\x02ok", message, "sec-websocket-accept"},
		"no switch":       {"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", message, "answered with 403"},
		"length on 101":   {switching(accept, "Content-Length: 0\r\n") + "\x81\x02ok", message, "content-length"},
		"masked":          {switching(accept, "") + "\x81\x82mmmmok", message, "masked"},
		"binary":          {switching(accept, "") + "\x82\x02ok", message, "message of opcode 2"},
		"other text":      {switching(accept, "") + "\x81\x02no", message, `"no"`},
		"no continuation": {switching(accept, "") + "\x01\x01o\x81\x01k", message, "in place of a message"},
		"close":           {switching(accept, "") + "\x88\x05\x03\xe8bye", func(w *wire) { w.switched(); w.closing(1000, "bye") }, ""},
		"empty close":     {switching(accept, "") + "\x88\x00", func(w *wire) { w.switched(); w.closing(1005, "") }, ""},
		"other close":     {switching(accept, "") + "\x88\x02\x03\xe9", func(w *wire) { w.switched(); w.closing(1000, "") }, "close frame 1001"},
		"short close":     {switching(accept, "") + "\x88\x01\x03", func(w *wire) { w.switched(); w.closing(1000, "") }, "one byte"},
		"no close":        {switching(accept, "") + "\x81\x02ok", func(w *wire) { w.switched(); w.closing(1000, "") }, "in place of a close frame"},
	} {
		t.Run(name, func(t *testing.T) {
			CheckGoroutines(t)
			got := judge(t, test.says, test.client)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("the client finds %q, want %q", got, test.want)
			}
		})
	}
}

// The frames of the client are what a server unmasks.
func TestWireFrames(t *testing.T) {
	for _, n := range []int{0, 125, 126, 1<<16 - 1, 1 << 16} {
		payload := strings.Repeat("x", n)
		f := []byte(frame(fin|opText, payload))
		head := 2
		switch f[1] & 0x7F {
		case 126:
			head = 4
		case 127:
			head = 10
		}
		mask, data := f[head:head+4], f[head+4:]
		for i := range data {
			data[i] ^= mask[i%4]
		}
		if f[0] != 0x81 || f[1]&0x80 == 0 || string(data) != payload {
			t.Error(fmt.Sprint("a frame of ", n, " bytes is wrong"))
		}
	}
}
