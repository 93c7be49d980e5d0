package jobs

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/gale-server/gale/asgi"
)

// pieceBytes is what is sent at a time: the outbox copies what the socket does
// not take at once, and is congested by some of them.
const pieceBytes = 64 << 10

// download sends a result, as fast as the peer takes it.
//
// Loop-owned: call only from its event loop.
type download struct {
	s    *Service
	x    asgi.Exchange
	blob *blob // a reference of its own; nil when it is given back
	rest []byte
}

// send answers with a result, of which the caller has taken a reference. The
// receiver is to get the events of the exchange.
func (s *Service) send(x asgi.Exchange, b *blob, headers ...asgi.Header) *download {
	d := &download{s: s, x: x, blob: b, rest: b.body}
	start := asgi.HTTPResponseStart{Status: http.StatusOK, Headers: append(headers,
		asgi.Header{Name: "content-type", Value: b.contentType},
		asgi.Header{Name: "content-length", Value: strconv.Itoa(len(b.body))},
		asgi.Header{Name: "x-content-type-options", Value: "nosniff"},
		noStore)}
	if err := x.Send(&start); err != nil {
		d.fail(err)
		return d
	}
	d.flush()
	return d
}

func (d *download) flush() {
	for d.blob != nil && !d.x.Congested() { // a Writable follows
		n := min(len(d.rest), pieceBytes)
		piece := asgi.HTTPResponseBody{Body: d.rest[:n], MoreBody: n < len(d.rest), Lifetime: asgi.Immutable}
		d.rest = d.rest[n:]
		if err := d.x.Send(&piece); err != nil {
			d.fail(err)
			return
		}
		if !piece.MoreBody {
			d.release()
		}
	}
}

// Receive goes on, or gives up.
func (d *download) Receive(ev asgi.ReceiveEvent) {
	switch ev.(type) {
	case *asgi.Writable:
		d.flush()
	case *asgi.HTTPDisconnect:
		d.release()
	}
}

func (d *download) fail(err error) {
	d.release()
	if !errors.Is(err, asgi.ErrDisconnected) {
		d.x.End(err)
	}
}

func (d *download) release() {
	if d.blob == nil {
		return
	}
	d.s.mu.Lock()
	d.s.unref(d.blob)
	d.s.mu.Unlock()
	d.blob, d.rest = nil, nil
}
