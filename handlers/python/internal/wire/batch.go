package wire

import (
	"encoding/binary"

	"github.com/gale-server/gale/asgi"
)

// maxFrameBytes bounds a frame, and is from where a message is closed before the next
// one: both together fit into a message.
const maxFrameBytes = MaxMessageBytes / 2

// Batch gathers frames for a link, in as many messages as they need. The zero Batch is
// ready.
//
// Not safe for concurrent use.
type Batch struct {
	buf    []byte
	start  int // of the message under way
	frames int // in it
	closed int // messages before it
}

// Len is the number of bytes that were gathered.
func (b *Batch) Len() int { return len(b.buf) }

// Finish returns the messages, and how many they are. They are valid until the next
// frame is added to the batch, which is empty now.
func (b *Batch) Finish() (p []byte, messages int) {
	b.close()
	p, messages = b.buf, b.closed
	b.buf, b.start, b.frames, b.closed = b.buf[:0], 0, 0, 0
	return p, messages
}

// Shrink gives memory back that one large batch has needed.
func (b *Batch) Shrink(most int) {
	if cap(b.buf) > most && len(b.buf) == 0 {
		b.buf = nil
	}
}

// close ends the message under way.
func (b *Batch) close() {
	if b.frames == 0 {
		return
	}
	binary.LittleEndian.PutUint32(b.buf[b.start:], uint32(len(b.buf)-b.start-HeadBytes))
	binary.LittleEndian.PutUint32(b.buf[b.start+HeadBytes+1:], uint32(b.frames))
	b.start, b.frames = len(b.buf), 0
	b.closed++
}

// begin begins a frame.
func (b *Batch) begin(kind int, fields int) (at int) {
	if len(b.buf)-b.start > maxFrameBytes {
		b.close()
	}
	if b.frames == 0 {
		b.buf = AppendList(append(b.buf, make([]byte, HeadBytes)...), 0)
	}
	b.frames++
	at = len(b.buf)
	b.buf = AppendInt(AppendTuple(b.buf, fields), int64(kind))
	return at
}

// end ends the frame that began at an offset. It takes back one that is too large, and
// is false then.
func (b *Batch) end(at int) bool {
	if len(b.buf)-at <= maxFrameBytes {
		return true
	}
	b.buf = b.buf[:at]
	if b.frames--; b.frames == 0 {
		b.buf = b.buf[:b.start]
	}
	return false
}

func (b *Batch) int(v int64)     { b.buf = AppendInt(b.buf, v) }
func (b *Batch) bool(v bool)     { b.buf = AppendBool(b.buf, v) }
func (b *Batch) text(s string)   { b.buf = AppendText(b.buf, s) }
func (b *Batch) name(s string)   { b.buf = appendName(b.buf, s) }
func (b *Batch) octets(s string) { b.buf = AppendBytes(b.buf, s) }

// address appends an end of a connection, or None.
func (b *Batch) address(a asgi.Address) {
	if a.Host == "" {
		b.buf = AppendNone(b.buf)
		return
	}
	b.buf = AppendTuple(b.buf, 2)
	b.text(a.Host)
	if a.Port == 0 && a.Host[0] == '/' { // a Unix socket
		b.buf = AppendNone(b.buf)
	} else {
		b.int(int64(a.Port))
	}
}

// common appends what requests and WebSockets share of a scope.
func (b *Batch) common(s *asgi.Scope) {
	b.text(s.Path)
	b.octets(s.RawPath)
	b.octets(s.QueryString)
	b.name(s.HTTPVersion)
	b.name(s.Scheme)
	b.text(s.RootPath)
	b.buf = AppendList(b.buf, len(s.Headers))
	for _, h := range s.Headers {
		b.buf = AppendTuple(b.buf, 2)
		b.octets(h.Name)
		b.octets(h.Value)
	}
	b.address(s.Client)
	b.address(s.Server)
	b.extra(s)
}

// extra appends what only some scopes have.
func (b *Batch) extra(s *asgi.Scope) {
	t, ok := s.Extensions[asgi.ExtTLS].(*asgi.TLS)
	if !ok || t == nil {
		b.buf = AppendNone(b.buf)
		return
	}
	b.buf = AppendDict(b.buf)
	b.text("tls")
	b.buf = AppendDict(b.buf)
	for _, field := range [...]struct{ name, value string }{
		{"server_cert", t.ServerCert}, {"client_cert_name", t.ClientCertName}, {"client_cert_error", t.ClientCertError},
	} {
		b.text(field.name)
		if field.value == "" {
			b.buf = AppendNone(b.buf)
		} else {
			b.text(field.value)
		}
	}
	b.text("client_cert_chain")
	b.buf = AppendList(b.buf, len(t.ClientCertChain))
	for _, certificate := range t.ClientCertChain {
		b.text(certificate)
	}
	for _, field := range [...]struct {
		name  string
		value uint16
	}{{"tls_version", t.Version}, {"cipher_suite", t.CipherSuite}} {
		b.text(field.name)
		if field.value == 0 {
			b.buf = AppendNone(b.buf)
		} else {
			b.int(int64(field.value))
		}
	}
	b.buf = AppendEnd(AppendEnd(b.buf))
}

// Request adds a request with the first piece of its body. It is false, and nothing is
// added, if the request is too large.
func (b *Batch) Request(sid uint32, s *asgi.Scope, body []byte, more bool) bool {
	at := b.begin(Request, 15)
	b.int(int64(sid))
	b.name(s.Method)
	b.common(s)
	b.buf = AppendBytes(b.buf, body)
	b.bool(more)
	return b.end(at)
}

// WebSocket adds a WebSocket, as Request does a request.
func (b *Batch) WebSocket(sid uint32, s *asgi.Scope) bool {
	at := b.begin(WebSocket, 13)
	b.int(int64(sid))
	b.common(s)
	b.buf = AppendList(b.buf, len(s.Subprotocols))
	for _, protocol := range s.Subprotocols {
		b.text(protocol)
	}
	return b.end(at)
}

// Variable is an entry of a WSGI environ. Its value is text that has one code point for
// each octet: octets above 127 are two bytes of UTF-8.
type Variable struct{ Name, Value string }

// WSGI adds a request for a WSGI application. Its body is body, or in a file if path is
// not empty. It is false as Request is.
func (b *Batch) WSGI(sid uint32, environ []Variable, body []byte, path string) bool {
	at := b.begin(WSGI, 4)
	b.int(int64(sid))
	b.buf = AppendDict(b.buf)
	for _, v := range environ {
		b.text(v.Name)
		b.text(v.Value)
	}
	b.buf = AppendEnd(b.buf)
	if path != "" {
		b.text(path)
	} else {
		b.buf = AppendBytes(b.buf, body)
	}
	return b.end(at)
}

// Body adds a piece of the body of a request.
func (b *Batch) Body(sid uint32, p []byte, more bool) {
	at := b.begin(Body, 4)
	b.int(int64(sid))
	b.buf = AppendBytes(b.buf, p)
	b.bool(more)
	b.end(at)
}

// Message adds a part of a message of a WebSocket. A part of a text ends between two code
// points.
func (b *Batch) Message(sid uint32, kind asgi.MessageKind, p []byte, more bool) {
	at := b.begin(Message, 4)
	b.int(int64(sid))
	if kind == asgi.Text {
		b.buf = AppendText(b.buf, p)
	} else {
		b.buf = AppendBytes(b.buf, p)
	}
	b.bool(more)
	b.end(at)
}

// Gone adds that the client is gone.
func (b *Batch) Gone(sid uint32, code int, reason string) {
	at := b.begin(Gone, 4)
	b.int(int64(sid))
	b.int(int64(code))
	b.text(reason)
	b.end(at)
}

// Credit adds that gale has done with n bytes.
func (b *Batch) Credit(sid uint32, n int) {
	at := b.begin(Credit, 3)
	b.int(int64(sid))
	b.int(int64(n))
	b.end(at)
}

// Taken adds whether gale has taken a file.
func (b *Batch) Taken(sid uint32, ok bool) {
	at := b.begin(Taken, 3)
	b.int(int64(sid))
	b.bool(ok)
	b.end(at)
}
