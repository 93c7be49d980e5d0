package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// The opcodes (https://www.rfc-editor.org/rfc/rfc6455#section-5.2).
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// handshake is the opening handshake, with the example's key of
// https://www.rfc-editor.org/rfc/rfc6455#section-1.3.
func (t *Target) handshake() string { return t.handshakeAt("/echo") }

func (t *Target) handshakeAt(path string) string {
	return "GET " + t.Path + path + " HTTP/1.1\r\nHost: target\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// open connects and opens a WebSocket.
func (t *Target) open(ctx context.Context) (*peer, error) {
	p, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	err = p.say(t.handshake())
	if err == nil {
		err = p.opened()
	}
	if err != nil {
		p.reset()
		return nil, err
	}
	return p, nil
}

// opened reads the answer to the handshake.
func (p *peer) opened() error {
	r, err := http.ReadResponse(p.in, nil)
	switch {
	case err != nil:
		return fmt.Errorf("no answer to a handshake: %w", err)
	case r.StatusCode != http.StatusSwitchingProtocols:
		return fmt.Errorf("a handshake was answered with %s", r.Status)
	case r.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=":
		return errors.New("a handshake was answered with a wrong Sec-WebSocket-Accept")
	}
	return nil
}

// frame is a whole message as a client sends it.
func frame(op byte, payload []byte) []byte {
	const fin, masked = 0x80, 0x80
	f := []byte{fin | op}
	switch n := len(payload); {
	case n < 126:
		f = append(f, masked|byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, masked|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, masked|127), uint64(n))
	}
	key := [4]byte{0xA5, 0x5A, 0x3C, 0xC3}
	f = append(f, key[:]...)
	for i, b := range payload {
		f = append(f, b^key[i%4])
	}
	return f
}

// message reads the next message, or the close, and answers pings. A server
// that sends fragments is not meant.
func (p *peer) message() (op byte, payload []byte, err error) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(p.in, head[:]); err != nil {
			return 0, nil, err
		}
		n := uint64(head[1])
		var long [8]byte
		switch n {
		case 126:
			_, err = io.ReadFull(p.in, long[6:])
			n = binary.BigEndian.Uint64(long[:])
		case 127:
			_, err = io.ReadFull(p.in, long[:])
			n = binary.BigEndian.Uint64(long[:])
		}
		if err != nil {
			return 0, nil, err
		}
		if head[0]&0xF0 != 0x80 || n > 1<<20 {
			return 0, nil, fmt.Errorf("a frame begins with %x", head)
		}
		payload = make([]byte, n)
		if _, err := io.ReadFull(p.in, payload); err != nil {
			return 0, nil, err
		}
		switch op = head[0] & 0x0F; op {
		case opPing:
			if err := p.write(frame(opPong, payload)...); err != nil {
				return 0, nil, err
			}
		case opPong:
		default:
			return op, payload, nil
		}
	}
}

// wantMessage reads the next message and compares it.
func (p *peer) wantMessage(op byte, payload []byte) error {
	gotOp, got, err := p.message()
	switch {
	case err != nil:
		return fmt.Errorf("no echo: %w", err)
	case gotOp != op || !bytes.Equal(got, payload):
		return fmt.Errorf("a message of %d bytes came back as %d bytes of kind %d", len(payload), len(got), gotOp)
	}
	return nil
}

// wantClose reads the server's close frame with this code, and then the end.
func (p *peer) wantClose(code int) error {
	op, payload, err := p.message()
	switch {
	case err != nil:
		return fmt.Errorf("no close: %w", err)
	case op != opClose || len(payload) < 2 || int(binary.BigEndian.Uint16(payload)) != code:
		return fmt.Errorf("instead of a close with %d: %d %q", code, op, payload)
	}
	return nil
}

// closing is the payload of a close frame.
func closing(code int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(code)) }
