package nethttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
)

// requestBody is the body of a request on its way to the application. A
// goroutine reads one piece at a time, only when the application wants it: that
// is also when net/http says 100 (Continue).
//
// Loop-owned: call only from its event loop, except leave.
type requestBody struct {
	r       io.Reader
	rc      *http.ResponseController
	pending atomic.Bool // the end has not been read
	reads   sync.WaitGroup
	http1   bool

	reading   bool
	held      []byte // read, not yet delivered
	buf       *[readChunk]byte
	delivered bool  // the end is
	total     int64 // bytes read
	seen      int64 // bytes read since began
	began     time.Time
	rate      *time.Timer // of the next look at the rate; nil: none is due
}

// readChunk is what is read of a body at a time, in bytes.
const readChunk = 32 << 10

var readBuffers = sync.Pool{New: func() any { return new([readChunk]byte) }}

func (b *requestBody) init(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return
	}
	b.r, b.rc, b.http1 = r.Body, http.NewResponseController(w), r.ProtoMajor < 2
	b.pending.Store(true)
	// Without it, what middleware may be the reason of, an application cannot
	// read on after it has begun to answer.
	_ = b.rc.EnableFullDuplex()
}

// complete reports whether the body has been read to its end.
func (b *requestBody) complete() bool { return !b.pending.Load() }

// leave gives a body back that nobody reads any more, on net/http's goroutine
// and after the exchange is over. A read under way would hold up net/http until
// the peer says something.
func (b *requestBody) leave(rc *http.ResponseController) {
	if b.r == nil || b.complete() {
		return
	}
	if b.http1 {
		_ = rc.SetReadDeadline(time.Now())
		b.reads.Wait()
		// net/http reads a little on, so that the peer gets to read its answer.
		_ = rc.SetReadDeadline(time.Now().Add(lingerTimeout))
	}
}

// lingerTimeout bounds the wait for a peer that goes on sending after it has
// its answer.
const lingerTimeout = time.Second

// drop lets go of what will not be delivered, and of the timer, which would hold
// the whole exchange in memory for the rest of its period.
func (b *requestBody) drop() {
	b.held = nil
	if b.rate != nil {
		b.rate.Stop()
		b.rate = nil
	}
	if !b.reading {
		b.release()
	}
}

func (b *requestBody) release() {
	if b.buf != nil {
		readBuffers.Put(b.buf)
		b.buf = nil
	}
}

// pump delivers the body as far as the application wants it and it has come.
func (x *httpExchange) pump() {
	b := &x.body
	for x.ready() && !x.over && !x.order.Complete() && !b.delivered {
		switch {
		case len(b.held) > 0:
			p := b.held
			b.held = nil
			b.delivered = b.complete()
			x.deliver(&asgi.HTTPRequest{Body: p, MoreBody: !b.delivered})
		case b.reading:
			return
		case b.complete():
			b.delivered = true
			x.deliver(&asgi.HTTPRequest{})
		default:
			x.startRead()
			return
		}
	}
	if len(b.held) == 0 && !b.reading {
		b.release()
	}
}

func (x *httpExchange) startRead() {
	b := &x.body
	if b.buf == nil {
		b.buf = readBuffers.Get().(*[readChunk]byte)
	}
	b.reading = true
	x.watchRate()
	if timeout := x.h.cfg.WriteTimeout; timeout > 0 && x.res.r.Header.Get("Expect") != "" {
		_ = b.rc.SetWriteDeadline(time.Now().Add(timeout)) // of 100 (Continue)
	}
	b.reads.Add(1)
	buf := b.buf[:]
	go func() { // ends with one piece, or when leave cuts the read off
		n, err := b.r.Read(buf)
		if err == io.EOF {
			b.pending.Store(false)
		}
		b.reads.Done()
		x.enter(func() { x.bodyRead(buf[:n], err) })
	}()
}

// bodyRead takes a piece that was read.
func (x *httpExchange) bodyRead(p []byte, err error) {
	b := &x.body
	b.reading = false
	if x.over {
		b.drop()
		return
	}
	b.seen += int64(len(p))
	b.total += int64(len(p))
	switch {
	case b.total > x.h.cfg.MaxBodyBytes:
		x.refuse(http.StatusRequestEntityTooLarge)
	case err == nil || err == io.EOF:
		b.held = p
		x.pump()
	default:
		x.bodyFailed(err)
	}
}

// bodyFailed ends an exchange whose request will never be complete: because the
// peer left, or because it sends what is no body.
func (x *httpExchange) bodyFailed(err error) {
	var tooLarge *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &tooLarge):
		x.refuse(http.StatusRequestEntityTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.refuse(http.StatusRequestTimeout)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network), errors.Is(err, context.Canceled),
		errors.Is(err, http.ErrBodyReadAfterClose), x.res.r.ProtoMajor >= 2:
		x.vanish()
	default:
		x.refuse(http.StatusBadRequest)
	}
}

// watchRate holds the peer to the minimum rate while the application waits for
// it.
func (x *httpExchange) watchRate() {
	b, cfg := &x.body, &x.h.cfg
	if b.rate != nil || cfg.BodyRatePeriod <= 0 || cfg.MinBodyRate <= 0 {
		return
	}
	b.seen, b.began = 0, time.Now()
	b.rate = time.AfterFunc(cfg.BodyRatePeriod, func() { x.post(x.checkRate) })
}

func (x *httpExchange) checkRate() {
	b := &x.body
	b.rate = nil
	switch least := float64(x.h.cfg.MinBodyRate) * time.Since(b.began).Seconds(); {
	case x.over || !b.reading:
	case float64(b.seen) < least:
		x.refuse(http.StatusRequestTimeout)
	default:
		x.watchRate()
	}
}
