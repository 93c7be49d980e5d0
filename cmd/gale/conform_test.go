package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/internal/longtest"
)

// The target's forms answer alike, on both engines.
func TestConform(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		for form := range forms {
			t.Run(engine+"/"+form, func(t *testing.T) {
				p := serve(t, "conform", "--addr", "127.0.0.1:0", "--engine", engine, "--form", form)
				testConformHTTP(t, p.url)
				testConformWebSocket(t, p, longtest.On() || form == clientForms[engine])
			})
		}
	}
}

func testConformHTTP(t *testing.T, url string) {
	large := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, c := range []struct {
		method, path, body string
		headers            http.Header
		status             int
		contentType        string
		answer             string
	}{
		{"GET", "/", "", nil, 200, "text/plain; charset=utf-8", "OK"},
		{"HEAD", "/", "", nil, 200, "text/plain; charset=utf-8", ""},
		{"GET", "/anything", "", nil, 200, "text/plain; charset=utf-8", "OK"},
		{"POST", "/", "hello", nil, 200, "application/octet-stream", "hello"},
		{"PUT", "/", large, http.Header{"Content-Type": {"x/y"}}, 200, "x/y", large},
		{"DELETE", "/", "", nil, 200, "application/octet-stream", ""},
		{"GET", "/cookie", "", http.Header{"Cookie": {"a=1; b=2;c=", "d=4"}}, 200, "text/plain; charset=utf-8", "a=1\nb=2\nc=\nd=4\n"},
		{"GET", "/cookie", "", nil, 200, "text/plain; charset=utf-8", ""},
	} {
		r, answer := do(t, c.method, url+c.path, strings.NewReader(c.body), c.headers)
		if r.StatusCode != c.status || r.Header.Get("Content-Type") != c.contentType || answer != c.answer {
			t.Errorf("%s %s: %s %q %.50q", c.method, c.path, r.Status, r.Header.Get("Content-Type"), answer)
		}
		if c.method == "HEAD" && r.ContentLength != 2 {
			t.Errorf("HEAD announces %d bytes", r.ContentLength)
		}
	}
	r, answer := do(t, "GET", url+"/echo", nil, http.Header{"X-Twice": {"one", "two"}})
	if r.StatusCode != 200 || !strings.Contains(answer, "x-twice: one\nx-twice: two\n") || !strings.Contains(answer, "host: 127.0.0.1:") {
		t.Errorf("/echo: %s %q", r.Status, answer)
	}
	// Chunked, so that the length is found out as it comes.
	if _, answer := do(t, "POST", url+"/", io.MultiReader(strings.NewReader("a"), strings.NewReader("b")), nil); answer != "ab" {
		t.Errorf("a chunked body came back as %q", answer)
	}
	request, _ := http.NewRequest("POST", url, http.NoBody)
	request.ContentLength = maxConform + 1
	request.Body = io.NopCloser(&zeros{})
	request.Header.Set("Expect", "100-continue")
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 413 {
		t.Errorf("more than the bound: %s", r.Status)
	}
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func do(t *testing.T, method, url string, body io.Reader, headers http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range headers {
		request.Header[name] = values
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(answer)
}

func testConformWebSocket(t *testing.T, p *process, large bool) {
	conn := p.dial("/any/path")
	type message struct {
		kind int
		data []byte
	}
	messages := []message{
		{websocket.TextMessage, []byte("grüß dich")},
		{websocket.BinaryMessage, []byte{0, 255, 1}},
		{websocket.TextMessage, nil},
	}
	if large {
		messages = append(messages, message{websocket.BinaryMessage, bytes.Repeat([]byte("x"), 17<<20)}) // above the default of the server
	}
	for _, m := range messages {
		if err := conn.WriteMessage(m.kind, m.data); err != nil {
			t.Fatal(err)
		}
		kind, data, err := conn.ReadMessage()
		if err != nil || kind != m.kind || !bytes.Equal(data, m.data) {
			t.Fatalf("%d bytes of kind %d came back as %d of kind %d: %v", len(m.data), m.kind, len(data), kind, err)
		}
	}
}
