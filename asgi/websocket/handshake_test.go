package websocket

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// The key and its answer are those of RFC 6455 §1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// browserRequest is what a browser sends.
func browserRequest() Request {
	return Request{Method: "GET", Minor: 1, Headers: []asgi.Header{
		{Name: "host", Value: "chat.example.com"},
		{Name: "connection", Value: "keep-alive, Upgrade"},
		{Name: "pragma", Value: "no-cache"},
		{Name: "upgrade", Value: "websocket"},
		{Name: "origin", Value: "https://chat.example.com"},
		{Name: "sec-websocket-version", Value: "13"},
		{Name: "accept-encoding", Value: "gzip, deflate, br"},
		{Name: "sec-websocket-key", Value: sampleKey},
		{Name: "sec-websocket-extensions", Value: "permessage-deflate; client_max_window_bits"},
	}}
}

// without removes a header from the request, with replaces or adds it.
func without(r Request, name string) Request {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h asgi.Header) bool { return h.Name == name })
	return r
}

func with(r Request, name string, values ...string) Request {
	r = without(r, name)
	for _, value := range values {
		r.Headers = append(r.Headers, asgi.Header{Name: name, Value: value})
	}
	return r
}

func TestAcceptKey(t *testing.T) {
	if got := AcceptKey(sampleKey); got != sampleAccept {
		t.Fatal(got)
	}
}

func TestCheckUpgrade(t *testing.T) {
	browser := browserRequest()
	method := func(m string) Request { r := browser; r.Method = m; return r }
	minor := func(n int) Request { r := browser; r.Minor = n; return r }
	body := browser
	body.HasBody = true
	for _, c := range []struct {
		name    string
		request Request
		want    *HandshakeError
	}{
		{"browser", browser, nil},
		{"upgrade in any case", with(browser, "upgrade", "WebSocket"), nil},
		{"upgrade in a list", with(browser, "upgrade", "h2c, WEBSOCKET"), nil},
		{"connection in any case", with(browser, "connection", "UPGRADE"), nil},
		{"connection without spaces", with(browser, "connection", "keep-alive,upgrade"), nil},
		{"connection over two lines", with(browser, "connection", "keep-alive", "Upgrade"), nil},
		{"empty list elements", with(browser, "connection", " , \tUpgrade ,, "), nil},
		{"no origin", without(browser, "origin"), nil},
		{"later minor version", minor(2), nil},
		{"POST", method("POST"), errMethod},
		{"HEAD", method("HEAD"), errMethod},
		{"get in lower case", method("get"), errMethod},
		{"HTTP/1.0", minor(0), errHTTPVersion},
		{"body", body, errBody},
		{"no host", without(browser, "host"), errHost},
		{"two hosts", with(browser, "host", "a", "a"), errHost},
		{"no upgrade", without(browser, "upgrade"), errNoUpgrade},
		{"other upgrade", with(browser, "upgrade", "h2c"), errNoUpgrade},
		{"longer upgrade", with(browser, "upgrade", "websockets"), errNoUpgrade},
		{"Kelvin sign", with(browser, "upgrade", "websoc\u212aet"), errNoUpgrade},
		{"no connection", without(browser, "connection"), errNoUpgrade},
		{"connection without upgrade", with(browser, "connection", "keep-alive"), errNoUpgrade},
		{"connection with a longer token", with(browser, "connection", "upgrade-insecure"), errNoUpgrade},
		{"no version", without(browser, "sec-websocket-version"), errVersion},
		{"version 8", with(browser, "sec-websocket-version", "8"), errVersion},
		{"version 013", with(browser, "sec-websocket-version", "013"), errVersion},
		{"version list", with(browser, "sec-websocket-version", "13, 8"), errVersion},
		{"two versions", with(browser, "sec-websocket-version", "13", "8"), errVersionRepeated},
		{"no key", without(browser, "sec-websocket-key"), errKey},
		{"empty key", with(browser, "sec-websocket-key", ""), errKey},
		{"two keys", with(browser, "sec-websocket-key", sampleKey, sampleKey), errKey},
		{"key of 15 bytes", with(browser, "sec-websocket-key", "dGhlIHNhbXBsZSBub25j"), errKey},
		{"key of 17 bytes", with(browser, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZWE="), errKey},
		{"key of 18 bytes", with(browser, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZWFi"), errKey},
		{"key of 32 characters", with(browser, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNh"), errKey},
		{"key that is not base64", with(browser, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=!"), errKey},
		{"key in the other base64", with(browser, "sec-websocket-key", "_-hlIHNhbXBsZSBub25jZQ=="), errKey},
		{"two origins", with(browser, "origin", "https://a", "https://a"), errOriginRepeated},
		{"subprotocol that is no token", with(browser, "sec-websocket-protocol", "chat, super chat"), errSubprotocol},
		{"64 subprotocols", with(browser, "sec-websocket-protocol", strings.Repeat("a,", 64)), nil},
		{"65 subprotocols", with(browser, "sec-websocket-protocol", strings.Repeat("a,", 65)), errSubprotocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := CheckUpgrade(&c.request)
			if c.want == nil {
				if err != nil || u.Accept != sampleAccept {
					t.Fatal(u, err)
				}
				return
			}
			if err != error(c.want) || u.Accept != "" {
				t.Fatalf("error %v, want %v", err, c.want)
			}
		})
	}
}

// What a refusal owes to the client besides its status.
func TestRefusalHeaders(t *testing.T) {
	for _, c := range []struct {
		err    *HandshakeError
		status int
		want   string
	}{
		{errMethod, 405, "[{allow GET}]"},
		{errNoUpgrade, 426, "[{upgrade websocket} {connection Upgrade} {sec-websocket-version 13}]"},
		{errVersion, 426, "[{upgrade websocket} {connection Upgrade} {sec-websocket-version 13}]"},
		{errForeignOrigin, 403, "[]"},
		{errKey, 400, "[]"},
	} {
		if got := fmt.Sprint(c.err.Headers); got != c.want || c.err.Status != c.status {
			t.Errorf("%v: %d %s", c.err, c.err.Status, got)
		}
	}
}

func TestIsUpgrade(t *testing.T) {
	browser := browserRequest()
	for _, c := range []struct {
		request Request
		want    bool
	}{
		{browser, true},
		{without(browser, "sec-websocket-key"), true}, // badly, but it does
		{with(browser, "connection", "close, Upgrade"), true},
		{without(browser, "connection"), false},
		{without(browser, "upgrade"), false},
		{with(browser, "upgrade", "h2c"), false},
	} {
		if got := IsUpgrade(c.request.Headers); got != c.want {
			t.Errorf("%v: %v", c.request.Headers, got)
		}
	}
}

func TestOfferedSubprotocols(t *testing.T) {
	r := with(browserRequest(), "sec-websocket-protocol", "chat, superchat", " ,v1.json,chat")
	u, err := CheckUpgrade(&r)
	if err != nil || fmt.Sprint(u.Subprotocols) != "[chat superchat v1.json chat]" {
		t.Fatal(u.Subprotocols, err)
	}
	if u.Origin != "https://chat.example.com" || u.Host != "chat.example.com" {
		t.Fatal(u)
	}
}

func TestResponseHeaders(t *testing.T) {
	before := []asgi.Header{{Name: "date", Value: "today"}}
	u := Upgrade{Accept: sampleAccept, Subprotocols: []string{"chat", "superchat"}}
	const handshake = "{date today} {upgrade websocket} {connection Upgrade} {sec-websocket-accept " + sampleAccept + "}"
	for _, c := range []struct {
		name        string
		subprotocol string
		extra       []asgi.Header
		want        string
		err         error
	}{
		{name: "bare", want: handshake},
		{name: "subprotocol", subprotocol: "superchat", want: handshake + " {sec-websocket-protocol superchat}"},
		{name: "extra", extra: []asgi.Header{{Name: "set-cookie", Value: "a=1"}, {Name: "set-cookie", Value: "b=\t2\xff"}},
			want: handshake + " {set-cookie a=1} {set-cookie b=\t2\xff}"},
		{name: "not offered", subprotocol: "Chat", err: errSendSubprotocol},
		{name: "line feed", extra: []asgi.Header{{Name: "x", Value: "a\nb: c"}}, err: errSendHeaderValue},
		{name: "carriage return", extra: []asgi.Header{{Name: "x", Value: "a\rb"}}, err: errSendHeaderValue},
		{name: "NUL", extra: []asgi.Header{{Name: "x", Value: "\x00"}}, err: errSendHeaderValue},
		{name: "DEL", extra: []asgi.Header{{Name: "x", Value: "\x7f"}}, err: errSendHeaderValue},
		{name: "colon in a name", extra: []asgi.Header{{Name: "x: y\r\nz", Value: ""}}, err: errSendHeaderName},
		{name: "empty name", extra: []asgi.Header{{}}, err: errSendHeaderName},
		{name: "pseudo header", extra: []asgi.Header{{Name: ":status", Value: "200"}}, err: errSendHeaderName},
		{name: "second is bad", extra: []asgi.Header{{Name: "x", Value: "1"}, {Name: "y", Value: "\n"}}, err: errSendHeaderValue},
		{name: "sec-websocket-protocol", extra: []asgi.Header{{Name: "sec-websocket-protocol", Value: "chat"}}, err: errSendHeaderOwned},
		{name: "Sec-WebSocket-Accept", extra: []asgi.Header{{Name: "Sec-WebSocket-Accept", Value: "x"}}, err: errSendHeaderOwned},
		{name: "Upgrade", extra: []asgi.Header{{Name: "Upgrade", Value: "h2c"}}, err: errSendHeaderOwned},
		{name: "connection", extra: []asgi.Header{{Name: "connection", Value: "close"}}, err: errSendHeaderOwned},
		{name: "content-length", extra: []asgi.Header{{Name: "content-length", Value: "0"}}, err: errSendHeaderOwned},
		{name: "transfer-encoding", extra: []asgi.Header{{Name: "transfer-encoding", Value: "chunked"}}, err: errSendHeaderOwned},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := u.ResponseHeaders(before, c.subprotocol, c.extra)
			if c.err != nil {
				var application *MessageError
				if err != c.err || len(got) != 1 || !errors.As(err, &application) {
					t.Fatal(got, err)
				}
				return
			}
			if err != nil || fmt.Sprint(got) != "["+c.want+"]" {
				t.Fatalf("%q %v", got, err)
			}
		})
	}
}
