package hostile

import (
	"context"
	"fmt"
	"io"
	"time"
)

// dripEvery is how often a slow client sends a byte: more often than any timeout
// that begins anew with each byte, and far below any honest rate.
const dripEvery = 50 * time.Millisecond

// drip sends next's bytes one by one, until the server has had enough, and
// returns what it said.
func (p *peer) drip(ctx context.Context, next func(i int) byte) ([]byte, error) {
	var said []byte
	buf := make([]byte, 4096)
	for i, began := 0, time.Now(); ; i++ {
		if time.Since(began) > p.t.Patience {
			return said, fmt.Errorf("after %v the server still waits", p.t.Patience)
		}
		if err := p.write(next(i)); err != nil {
			return said, nil // it has hung up; what it said may be lost
		}
		_ = p.conn.SetReadDeadline(time.Now().Add(dripEvery))
		n, err := p.in.Read(buf)
		said = append(said, buf[:n]...)
		switch {
		case isTimeout(err):
			if err := ctx.Err(); err != nil {
				return said, err
			}
		case err == io.EOF || err != nil:
			return said, nil
		}
	}
}

// slowHeads never ends its heads: half of them stay in a field's value, half go
// on with new fields.
func slowHeads(ctx context.Context, t *Target) error {
	return each(t, func(i int) error {
		p, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer p.reset()
		if err := p.say("GET " + t.Path + "/echo HTTP/1.1\r\nHost: target\r\nX: "); err != nil {
			return err
		}
		endless := "y"
		if i%2 == 1 {
			endless = "y\r\nX:"
		}
		said, err := p.drip(ctx, func(i int) byte { return endless[i%len(endless)] })
		if err != nil {
			return err
		}
		// net/http says nothing, or 400 where it is cut off within a line.
		if got := status(said); got != 408 && (t.Strict || len(said) > 0 && got != 400) {
			return fmt.Errorf("a slow head was answered with %.100q", said)
		}
		return nil
	})
}

// slowBodies never ends its bodies: half have a length, half are chunked.
func slowBodies(ctx context.Context, t *Target) error {
	return each(t, func(i int) error {
		p, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer p.reset()
		head, endless := t.upload("/echo", 1<<20), "z"
		if i%2 == 1 {
			head = "POST " + t.Path + "/echo HTTP/1.1\r\nHost: target\r\nTransfer-Encoding: chunked\r\n\r\n"
			endless = "1\r\nz\r\n"
		}
		if err := p.say(head); err != nil {
			return err
		}
		said, err := p.drip(ctx, func(i int) byte { return endless[i%len(endless)] })
		if err != nil {
			return err
		}
		if status(said) != 408 {
			return fmt.Errorf("a slow body was answered with %.100q", said)
		}
		return nil
	})
}

// singleBytes is an honest client behind a link that carries one byte at a time.
func singleBytes(ctx context.Context, t *Target) error {
	return each(t, func(i int) error {
		if i%2 == 0 {
			return singleByteRequests(ctx, t)
		}
		return singleByteMessages(ctx, t)
	})
}

// spell writes byte by byte.
func (p *peer) spell(ctx context.Context, s string) error {
	for i := range len(s) {
		if err := p.write(s[i]); err != nil {
			return err
		}
		if err := p.t.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

func singleByteRequests(ctx context.Context, t *Target) error {
	p, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer p.reset()
	for range t.Times {
		for _, r := range []struct{ request, answer string }{
			{t.request("GET", "/echo?single", ""), t.Path + "/echo?single"},
			{t.request("POST", "/echo", "a body"), "a body"},
			{"POST " + t.Path + "/echo HTTP/1.1\r\nHost: target\r\nTransfer-Encoding: chunked\r\n\r\n" +
				"3\r\nabc\r\n2;e=1\r\nde\r\n0\r\nT: 1\r\n\r\n", "abcde"},
		} {
			if err := p.spell(ctx, r.request); err != nil {
				return err
			}
			if err := p.wantAnswer(200, r.answer); err != nil {
				return err
			}
		}
	}
	return nil
}

func singleByteMessages(ctx context.Context, t *Target) error {
	p, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer p.reset()
	if err := p.spell(ctx, t.handshake()); err != nil {
		return err
	}
	if err := p.opened(); err != nil {
		return err
	}
	for range t.Times {
		for _, m := range []string{"", "grüß dich", pattern(300)} {
			if err := p.spell(ctx, string(frame(opText, []byte(m)))); err != nil {
				return err
			}
			if err := p.wantMessage(opText, []byte(m)); err != nil {
				return err
			}
		}
	}
	if err := p.spell(ctx, string(frame(opClose, closing(1000)))); err != nil {
		return err
	}
	return p.wantClose(1000)
}

// pattern is n letters of which neighbours differ.
func pattern(n int) string {
	p := make([]byte, n)
	for i := range p {
		p[i] = 'a' + byte(i%23)
	}
	return string(p)
}
