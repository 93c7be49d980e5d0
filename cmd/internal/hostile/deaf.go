package hostile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxSwallowed bounds what a server may take of a client that does not read, in
// bytes: the buffers of two kernels are in it, and an outbox.
const maxSwallowed = 64 << 20

// flood writes p again and again and never reads, until the server hangs up,
// within the patience.
func (p *peer) flood(ctx context.Context, b []byte) error {
	_ = p.conn.SetReadBuffer(4 << 10)
	for sent := 0; sent < maxSwallowed; {
		n, err := p.conn.Write(b)
		sent += n
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isTimeout(err):
			return fmt.Errorf("a client that does not read is kept for %v", p.t.Patience)
		case err != nil:
			return nil // dropped, as it should be
		}
		if err := p.t.pause(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%d bytes were read from a client that does not read itself", maxSwallowed)
}

// deafPipeline asks for much and reads nothing: the server must stop to read
// requests, and drop the client in the end.
func deafPipeline(ctx context.Context, t *Target) error {
	requests := strings.Repeat(t.request("POST", "/echo", pattern(8<<10)), 8)
	return each(t, func(int) error {
		p, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer p.reset()
		return p.flood(ctx, []byte(requests))
	})
}

// deafEcho does the same on WebSockets, half of them with small messages.
func deafEcho(ctx context.Context, t *Target) error {
	return each(t, func(i int) error {
		p, err := t.open(ctx)
		if err != nil {
			return err
		}
		defer p.reset()
		message := frame(opBinary, []byte(pattern(60<<10)))
		if i%2 == 1 {
			small := frame(opText, []byte(pattern(1<<10)))
			message = []byte(strings.Repeat(string(small), 50))
		}
		return p.flood(ctx, message)
	})
}

// uploadBytes is what an upload announces.
const uploadBytes = 100 << 20

// stallAfter is how long a write makes no progress before it counts as stalled.
const stallAfter = 300 * time.Millisecond

// push uploads until no progress is made, or n bytes are gone.
func (p *peer) push(ctx context.Context, n int) (pushed int, err error) {
	block := []byte(pattern(64 << 10))
	for pushed < n {
		_ = p.conn.SetWriteDeadline(time.Now().Add(stallAfter))
		k, err := p.conn.Write(block[:min(len(block), n-pushed)])
		pushed += k
		switch {
		case ctx.Err() != nil:
			return pushed, ctx.Err()
		case isTimeout(err) && k == 0:
			return pushed, nil
		case err != nil && !isTimeout(err):
			return pushed, err
		}
		if err := p.t.pause(ctx); err != nil {
			return pushed, err
		}
	}
	return pushed, nil
}

// uploadUnread must find that its upload comes to a halt: what the application
// does not receive, the server does not read.
func uploadUnread(ctx context.Context, t *Target) error {
	return each(t, func(int) error {
		p, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer p.reset()
		if err := p.say(t.upload("/never?n=2000", uploadBytes)); err != nil {
			return err
		}
		pushed, err := p.push(ctx, uploadBytes)
		if err == nil && pushed == uploadBytes {
			return errors.New("100 MiB were read that the application did not receive")
		}
		return err
	})
}

// uploadSlow uploads for a second and leaves.
func uploadSlow(ctx context.Context, t *Target) error {
	return each(t, func(int) error {
		p, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer p.reset()
		if err := p.say(t.upload("/slow", uploadBytes)); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, time.Duration(t.Times)*time.Second)
		defer cancel()
		for pushed := 0; pushed < uploadBytes && short.Err() == nil; {
			n, err := p.push(short, uploadBytes-pushed)
			if pushed += n; err != nil && short.Err() == nil {
				return fmt.Errorf("the server hung up after %d bytes: %w", pushed, err)
			}
		}
		return ctx.Err()
	})
}

// LargeBytes is the length of /large.
const LargeBytes = 8 << 20

// LargeByte is byte i of /large.
func LargeByte(i int) byte { return byte(i % 251) }

// slowReader sips of a large response for a while, and then takes and checks
// all the rest.
func slowReader(ctx context.Context, t *Target) error {
	return each(t, func(int) error {
		p, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer p.reset()
		if err := p.say(t.request("GET", "/large", "")); err != nil {
			return err
		}
		return p.readLarge(ctx, 20*t.Times)
	})
}
