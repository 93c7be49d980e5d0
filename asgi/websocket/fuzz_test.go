package websocket

import (
	"math"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/autobahn"
)

// seedStreams is one stream for every rule: the tables' cases that are short.
func seedStreams() [][]byte {
	all := [][]byte{
		{}, {0x81}, {0x81, 0x85, 1, 2, 3, 4, 5},
		rawHeader(0x82, 64, 1<<63, [4]byte{}), rawHeader(0x82, 64, math.MaxInt64, [4]byte{}), rawHeader(0x82, 16, 5, [4]byte{}),
		append(rawHeader(0x81, 64, 5, [4]byte{}), "hello"...),
		{0x81, 0x05, 'h', 'e', 'l', 'l', 'o'},
		stream(text("hello"), binaryOf("\xff\xfe"), ping("a"), pong("b"), closing(CloseNormal, "bye"), text("more")),
		stream(first("01234"), ping("ping payload"), last("56789")),
		stream(first("01234"), last("56789A")), stream(text("0123456789A")), stream(text(repeat("aé", 300))),
		stream(sent{Op: byte(OpPing), More: true}), stream(ping(repeat("*", 126))), stream(first("a"), text("b")), stream(last("a")),
		stream(sent{Op: byte(OpClose)}), stream(sent{Op: byte(OpClose), Payload: "a"}), stream(closing(CloseNormal, "\xff")),
		stream(first("half"), closing(CloseGoingAway, ""), last("")), stream(closing(CloseBadGateway, "")),
	}
	for rsv := byte(1); rsv < 8; rsv++ {
		all = append(all, stream(sent{Op: byte(OpText), RSV: rsv, Payload: "a"}))
	}
	for op := Opcode(3); op < 16; op++ {
		all = append(all, stream(text("a"), sent{Op: byte(op), Payload: "bcd"}))
	}
	for _, code := range []int{0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1013, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65535} {
		all = append(all, stream(closing(code, "")))
	}
	for _, group := range autobahn.UTF8Groups {
		for _, s := range append(group.Valid, group.Invalid...) {
			all = append(all, stream(text(s)), stream(fragments(OpText, s, 1)...))
		}
	}
	return all
}

// pieces turns fuzz data into a way to cut: each byte is the size of a piece.
func pieces(cuts []byte) func(int) int {
	at := 0
	return func(rest int) int {
		if len(cuts) == 0 {
			return rest
		}
		at++
		return int(cuts[at%len(cuts)]) + 1
	}
}

// FuzzNext: no panic, split invariance, the bound, nothing retained.
func FuzzNext(f *testing.F) {
	for i, in := range seedStreams() {
		f.Add(in, []byte{byte(i), 0}, uint16(i%20))
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte, limit uint16) {
		if len(in) > 1<<14 {
			return
		}
		cfg := &Config{MaxMessageBytes: int64(limit)}
		want := feed(t, New(cfg), in, whole)
		for _, piece := range []func(int) int{pieces(cuts), chops(1)} {
			if diff := feed(t, New(cfg), in, piece).differs(want); diff != "" {
				t.Fatal(diff)
			}
		}
		var size int
		for _, e := range want.events {
			size += len(e.data)
			if e.kind == Message && limit > 0 && len(e.data) > int(limit) {
				t.Fatalf("a message of %d bytes, limit %d", len(e.data), limit)
			}
		}
		if size > len(in) {
			t.Fatalf("%d bytes of events from %d", size, len(in))
		}
	})
}

// FuzzGorilla: agreement with gorilla's server on what is accepted.
func FuzzGorilla(f *testing.F) {
	for i, in := range seedStreams() {
		f.Add(in, uint16(i%20))
	}
	f.Fuzz(func(t *testing.T, in []byte, limit uint16) {
		if len(in) > 1<<14 {
			return
		}
		checkGorilla(t, int64(limit)+1, in)
	})
}

// FuzzFrames builds legal and nearly legal frames out of fuzz data, so that the
// fuzzer need not guess masks: both machines must agree on those too.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x01\x05hello\x89\x02hi\x80\x03 yo\x88\x00"), []byte{3})
	f.Add([]byte("\x81\x02\xc3\xa9\x01\x01\xc3\x80\x01\xa9\x88\x02\x03\xe8"), []byte{0})
	f.Fuzz(func(t *testing.T, plan, cuts []byte) {
		if len(plan) > 1<<12 {
			return
		}
		var in []byte
		for len(plan) >= 2 {
			size := min(int(plan[1]), len(plan)-2)
			frame := sent{Op: plan[0] & 0x0f, More: plan[0]&0x80 == 0, RSV: plan[0] >> 4 & 0x07, Payload: string(plan[2 : 2+size])}
			in = frame.AppendTo(in, [4]byte{plan[0], plan[1], 0x5a, 0xc3})
			plan = plan[2+size:]
		}
		cfg := &Config{MaxMessageBytes: 300}
		want := feed(t, New(cfg), in, whole)
		if diff := feed(t, New(cfg), in, pieces(cuts)).differs(want); diff != "" {
			t.Fatal(diff)
		}
		checkGorilla(t, 300, in)
	})
}

// FuzzText: agreement with unicode/utf8, at the same byte however it is cut.
func FuzzText(f *testing.F) {
	for i, group := range autobahn.UTF8Groups {
		for _, s := range append(group.Valid, group.Invalid...) {
			f.Add("abc"+s+"xyz", []byte{byte(i), 0})
		}
	}
	f.Fuzz(func(t *testing.T, s string, cuts []byte) {
		if len(s) > 1<<12 {
			return
		}
		checkText(t, s, whole)
		checkText(t, s, chops(1))
		checkText(t, s, pieces(cuts))
	})
}

// FuzzHandshake: no panic, and what is accepted can be answered safely.
func FuzzHandshake(f *testing.F) {
	f.Add("websocket", "keep-alive, Upgrade", "13", sampleKey, "chat, superchat", "https://example.com", "example.com", "a=1")
	f.Add("h2c,WebSocket", "upgrade", "8", "", "a b", "null", "[::1]:80", "x\r\ny: z")
	f.Fuzz(func(t *testing.T, upgrade, connection, version, key, offer, origin, host, extra string) {
		r := Request{Method: "GET", Minor: 1, Headers: []asgi.Header{
			{Name: "host", Value: host}, {Name: "upgrade", Value: upgrade}, {Name: "connection", Value: connection},
			{Name: "sec-websocket-version", Value: version}, {Name: "sec-websocket-key", Value: key},
			{Name: "sec-websocket-protocol", Value: offer}, {Name: "origin", Value: origin},
		}}
		u, err := CheckUpgrade(&r)
		if _, wrong := NewOrigins([]string{origin}); wrong == nil && !strings.Contains(origin, "*") && CheckOrigin(origin, host, []string{origin}) != nil {
			t.Fatalf("origin %q is foreign though it is allowed", origin)
		}
		if err != nil {
			return
		}
		choice := ""
		for _, choice = range u.Subprotocols {
			if !isToken(choice) {
				t.Fatalf("subprotocol %q", choice)
			}
		}
		headers, err := u.ResponseHeaders(nil, choice, []asgi.Header{{Name: "set-cookie", Value: extra}})
		for _, h := range headers {
			if !isToken(h.Name) || !isFieldValue(h.Value) {
				t.Fatalf("header %q", h)
			}
		}
		if (err == nil) != isFieldValue(extra) {
			t.Fatalf("value %q: %v", extra, err)
		}
	})
}
