package websocket_test

import (
	"fmt"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/websocket"
)

// The life of a connection that says "Hello" and gets it back: what a socket
// gave goes into Next, what the Append methods made goes to a socket.
func ExampleMachine() {
	// RFC 6455 §5.7: a masked text message "Hello", and a masked close.
	p := []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8}

	var out []byte
	var m websocket.Machine
	var event websocket.Event
	for len(p) > 0 {
		err := m.Next(p, &event)
		if err != nil {
			fmt.Println(err)
			return
		}
		p = p[event.N:]
		switch event.Kind {
		case websocket.Message:
			fmt.Printf("%v %q\n", event.Message, event.Data)
			out, err = m.AppendMessage(out, event.Message, event.Data)
		case websocket.Ping:
			out, err = m.AppendPong(out, event.Data)
		case websocket.Close:
			fmt.Println("close", event.Code)
			out, err = m.AppendClose(out, event.Code, "")
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("% x\n", out)
	// Output:
	// text "Hello"
	// close 1000
	// 81 05 48 65 6c 6c 6f 88 02 03 e8
}

// The handshake of RFC 6455 §1.3, accepted with one of its subprotocols.
func ExampleCheckUpgrade() {
	upgrade, err := websocket.CheckUpgrade(&websocket.Request{Method: "GET", Minor: 1, Headers: []asgi.Header{
		{Name: "host", Value: "server.example.com"},
		{Name: "upgrade", Value: "websocket"},
		{Name: "connection", Value: "Upgrade"},
		{Name: "sec-websocket-key", Value: "dGhlIHNhbXBsZSBub25jZQ=="},
		{Name: "origin", Value: "http://example.com"},
		{Name: "sec-websocket-protocol", Value: "chat, superchat"},
		{Name: "sec-websocket-version", Value: "13"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(websocket.CheckOrigin(upgrade.Origin, upgrade.Host, nil))
	fmt.Println(websocket.CheckOrigin(upgrade.Origin, upgrade.Host, []string{"http://example.com"}))
	headers, err := upgrade.ResponseHeaders(nil, "chat", nil)
	for _, h := range headers {
		fmt.Printf("%s: %s\n", h.Name, h.Value)
	}
	fmt.Println(err)
	// Output:
	// websocket: origin is foreign (RFC 6455 §10.2)
	// <nil>
	// upgrade: websocket
	// connection: Upgrade
	// sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
	// sec-websocket-protocol: chat
	// <nil>
}
