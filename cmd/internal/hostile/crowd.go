package hostile

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// churnEach is how many connections churn makes for each that it has at a time,
// times Target.Times.
const churnEach = 500

// churn connects and drops: at once, in a head, before a response, and after a
// handshake.
func churn(ctx context.Context, t *Target) error {
	says := []string{"", "GET /ec", t.request("GET", "/echo", ""), t.handshake()}
	return each(t, func(int) error {
		for n := range churnEach * t.Times {
			p, err := t.dial(ctx)
			if err != nil {
				return err
			}
			if s := says[n%len(says)]; s != "" {
				err = p.say(s)
			}
			p.reset()
			if err != nil {
				return err
			}
			if err := t.pause(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// hoard opens ten times Target.Conns connections of three kinds, and talks to
// the server only when it has them all. Each must be answered, with 503 if there
// is no room, once others have left.
func hoard(ctx context.Context, t *Target) error {
	var hoarded []*peer
	defer func() {
		for _, p := range hoarded {
			p.reset()
		}
	}()
	for i := range 10 * t.Conns {
		p, err := t.dial(ctx)
		if err != nil {
			return err
		}
		hoarded = append(hoarded, p)
		if i%3 > 0 {
			// A server that has no room may have hung up already.
			_ = p.say([]string{"", "GET /ec", t.handshake()}[i%3])
		}
		if err := t.pause(ctx); err != nil {
			return err
		}
	}
	for len(hoarded) > 1 {
		hoarded[0].reset()
		hoarded = hoarded[1:]
	}
	return t.served(ctx)
}

// served asks until there is room again.
func (t *Target) served(ctx context.Context) error {
	for {
		p, err := t.dial(ctx)
		if err != nil {
			return err
		}
		err = p.say(t.request("GET", "/echo", ""))
		if err == nil {
			var code int
			if code, _, err = p.answer(); err == nil && code != http.StatusServiceUnavailable {
				p.reset()
				if code != http.StatusOK {
					return fmt.Errorf("status %d where there is room again", code)
				}
				return nil
			}
		}
		p.reset()
		if isTimeout(err) {
			return fmt.Errorf("no answer where there is room again: %w", err)
		}
		if err := rest(ctx, dripEvery); err != nil {
			return err
		}
	}
}

// pipelined is how many requests follow the late one.
const pipelined = 1000

// pipeline must get every answer, in order.
func pipeline(ctx context.Context, t *Target) error {
	var requests strings.Builder
	requests.WriteString(t.request("GET", "/late?0", ""))
	for n := range pipelined {
		requests.WriteString(t.request("GET", fmt.Sprintf("/echo?%d", n), ""))
	}
	return each(t, func(int) error {
		for range t.Times {
			if err := t.pipelineOnce(ctx, requests.String()); err != nil {
				return err
			}
			if err := t.pause(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Target) pipelineOnce(ctx context.Context, requests string) error {
	p, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer p.reset()
	sent := make(chan error, 1)
	go func() { sent <- p.say(requests) }() // ends when all is taken or the connection is cut
	defer func() { p.reset(); <-sent }()
	if err := p.wantAnswer(http.StatusOK, t.Path+"/late?0"); err != nil {
		return err
	}
	for n := range pipelined {
		if err := p.wantAnswer(http.StatusOK, fmt.Sprintf("%s/echo?%d", t.Path, n)); err != nil {
			return fmt.Errorf("response %d: %w", n, err)
		}
	}
	return nil
}
