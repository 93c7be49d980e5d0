package hostile

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// step is a stretch in the life of a connection, at whose end a client may
// leave. Its name says where that is.
type step struct {
	name string
	do   func(p *peer) error
}

func says(s string) func(p *peer) error { return func(p *peer) error { return p.say(s) } }

func hears(status int) func(p *peer) error {
	return func(p *peer) error { return p.wantAnswer(status, "") }
}

func echoes(p *peer) error {
	_, _, err := p.message()
	return err
}

// fragment is the first fragment of a message.
func fragment(s string) string {
	f := frame(opText, []byte(s))
	f[0] &^= 0x80
	return string(f)
}

// lives are how connections go, from the accept on.
func (t *Target) lives() [][]step {
	get := t.request("GET", "/echo", "")
	head, body, _ := strings.Cut(t.request("POST", "/echo", pattern(4000)), "\r\n\r\n")
	message := string(frame(opBinary, []byte(pattern(4000))))
	ws := t.handshake()
	return [][]step{
		{
			{"before a head", says("")},
			{"in a request line", says(get[:6])},
			{"in a head", says(get[6:50])},
			{"after a request", says(get[50:])},
		},
		{
			{"after a head", says(head + "\r\n\r\n")},
			{"in a body", says(body[:1000])},
			{"after a body", says(body[1000:])},
			{"in keep-alive", hears(200)},
			{"in a pipeline", says(get + get + get)},
		},
		{{"before a late response", says(t.request("GET", "/late", ""))}},
		{{"in an upload", says(t.upload("/slow", 1<<20) + pattern(100<<10))}},
		{
			{"in a handshake", says(ws[:60])},
			{"after a handshake", says(ws[60:])},
			{"in a new WebSocket", (*peer).opened},
			{"in a frame's head", says(message[:3])},
			{"in a frame", says(message[3:2000])},
			{"after a message", says(message[2000:])},
			{"in an idle WebSocket", echoes},
			{"between fragments", says(fragment("part"))},
		},
		{
			{"after a handshake", says(ws)},
			{"in a new WebSocket", (*peer).opened},
			{"after a close", says(string(frame(opClose, closing(1000))))},
		},
	}
}

// unanswered is the life of a client whose response never comes.
func (t *Target) unanswered() [][]step {
	return [][]step{{{"in a response that never comes", says(t.request("GET", "/never", ""))}}}
}

// endless are lives that end with the client's reset only: its end of stream
// may be all it says to a server that goes on to serve it.
func (t *Target) endless() [][]step {
	unread := says(t.upload("/never", 1<<20) + pattern(10<<10))
	return [][]step{
		{{"in an upload that nobody reads", unread}},
		{{"in a large response", func(p *peer) error {
			if err := p.say(p.t.request("GET", "/large", "")); err != nil {
				return err
			}
			_, err := io.CopyN(io.Discard, p.in, 1<<20)
			return err
		}}},
	}
}

// visit goes through the first n steps of a life and leaves.
func (t *Target) visit(ctx context.Context, life []step, leave func(p *peer) error) error {
	p, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer p.reset()
	for _, s := range life {
		if err := s.do(p); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := leave(p); err != nil {
		return fmt.Errorf("%s: %w", life[len(life)-1].name, err)
	}
	return t.pause(ctx)
}

// visits leaves at the end of every step of every life that is wanted.
func (t *Target) visits(ctx context.Context, lives [][]step, wanted func(name string) bool, leave func(p *peer) error) error {
	for range t.Times {
		for _, life := range lives {
			for i := range life {
				if !wanted(life[i].name) {
					continue
				}
				if err := t.visit(ctx, life[:i+1], leave); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func anywhere(string) bool { return true }

func inside(name string) bool { return strings.HasPrefix(name, "in ") }

func leaveByClose(p *peer) error { p.close(); return nil }
func leaveByReset(p *peer) error { p.reset(); return nil }

// departures leaves by closing on even connections, by a reset on odd ones.
func departures(ctx context.Context, t *Target) error {
	return each(t, func(i int) error {
		if i%2 == 1 {
			return t.visits(ctx, slices.Concat(t.lives(), t.unanswered(), t.endless()), anywhere, leaveByReset)
		}
		lives := t.lives()
		if !t.Strict {
			lives = append(lives, t.unanswered()...)
		}
		return t.visits(ctx, lives, anywhere, leaveByClose)
	})
}

// resets leaves by a reset in the middle of what is sent and received.
func resets(ctx context.Context, t *Target) error {
	return each(t, func(int) error {
		return t.visits(ctx, slices.Concat(t.lives(), t.unanswered(), t.endless()), inside, leaveByReset)
	})
}

// halfCloses ends its stream and waits for the server to end its own.
func halfCloses(ctx context.Context, t *Target) error {
	return each(t, func(int) error {
		err := t.visits(ctx, t.lives(), anywhere, func(p *peer) error {
			if err := p.conn.CloseWrite(); err != nil {
				return err
			}
			_, err := p.wantEnd()
			return err
		})
		if err == nil && t.Strict {
			err = t.halfClosedRequests(ctx)
		}
		return err
	})
}

// halfClosedRequests are whole, and so must be their answers.
func (t *Target) halfClosedRequests(ctx context.Context) error {
	for _, path := range []string{"/echo?half", "/late?half"} {
		life := []step{{"after a request", says(t.request("GET", path, ""))}}
		err := t.visit(ctx, life, func(p *peer) error {
			if err := p.conn.CloseWrite(); err != nil {
				return err
			}
			if err := p.wantAnswer(http.StatusOK, t.Path+path); err != nil {
				return err
			}
			_, err := p.wantEnd()
			return err
		})
		if err != nil {
			return err
		}
	}
	life := []step{{"in a large response", says(t.request("GET", "/large", ""))}}
	return t.visit(ctx, life, func(p *peer) error {
		if err := p.conn.CloseWrite(); err != nil {
			return err
		}
		return p.readLarge(ctx, 0)
	})
}
