package hostile

import (
	"context"
	"fmt"
	"net/http"
)

// panics wants what a server makes of a panic: 500 before the response's start,
// a visible truncation after it, 1011 on a WebSocket; and other connections
// that live.
func panics(ctx context.Context, t *Target) error {
	return each(t, func(i int) error {
		for range 3 * t.Times {
			var err error
			switch i % 3 {
			case 0:
				err = t.panicEarly(ctx)
			case 1:
				err = t.panicLate(ctx)
			case 2:
				err = t.panicMessage(ctx)
			}
			if err == nil {
				err = t.pause(ctx)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Target) panicEarly(ctx context.Context) error {
	p, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer p.reset()
	if err := p.say(t.request("GET", "/panic", "")); err != nil {
		return err
	}
	return p.wantAnswer(http.StatusInternalServerError, "")
}

func (t *Target) panicLate(ctx context.Context) error {
	p, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer p.reset()
	if err := p.say(t.request("GET", "/panic?at=start", "")); err != nil {
		return err
	}
	if status, body, err := p.answer(); err == nil {
		return fmt.Errorf("a response that was cut looks whole: %d %q", status, body)
	} else if isTimeout(err) {
		return err
	}
	return nil
}

func (t *Target) panicMessage(ctx context.Context) error {
	p, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer p.reset()
	if err := p.say(t.handshakeAt("/panic")); err != nil {
		return err
	}
	if err := p.opened(); err != nil {
		return err
	}
	if err := p.write(frame(opText, []byte("now"))...); err != nil {
		return err
	}
	return p.wantClose(1011)
}

// timersEach is how many timers one request sets, times Target.Times.
const timersEach = 4000

func timers(ctx context.Context, t *Target) error {
	return t.ask(ctx, fmt.Sprintf("/timers?n=%d&pace=%v", timersEach*t.Times, t.Pace), func(body string) error {
		if body != "OK" {
			return fmt.Errorf("the application says %.100q", body)
		}
		return nil
	})
}

// postsEach bounds what one request posts, times Target.Times.
const postsEach = 20000

func posts(ctx context.Context, t *Target) error {
	return t.ask(ctx, fmt.Sprintf("/posts?n=%d&pace=%v", postsEach*t.Times, t.Pace), func(body string) error {
		var accepted, refused, ran int
		if _, err := fmt.Sscan(body, &accepted, &refused, &ran); err != nil {
			return fmt.Errorf("the application says %.100q", body)
		}
		if accepted != ran || accepted+refused == 0 {
			return fmt.Errorf("of %d posts that were accepted %d ran, beside %d that were refused", accepted, ran, refused)
		}
		return nil
	})
}

// ask has every connection ask once, and check the answer.
func (t *Target) ask(ctx context.Context, path string, check func(body string) error) error {
	return each(t, func(int) error {
		p, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer p.reset()
		if err := p.say(t.request("GET", path, "")); err != nil {
			return err
		}
		status, body, err := p.answer()
		switch {
		case err != nil:
			return err
		case status != http.StatusOK:
			return fmt.Errorf("status %d: %.100q", status, body)
		}
		return check(string(body))
	})
}
