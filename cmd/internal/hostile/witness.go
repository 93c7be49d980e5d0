package hostile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Witnesses are honest clients that talk on during an attack, half of them over
// a WebSocket and half over HTTP. Each must get every answer, whole and in
// order.
//
// Safe for concurrent use.
type Witnesses struct {
	cancel  context.CancelFunc
	all     sync.WaitGroup
	answers atomic.Int64

	mu   sync.Mutex
	errs []error
}

// witnessPause is the time between two exchanges of a witness.
const witnessPause = 5 * time.Millisecond

// NewWitnesses starts n witnesses on each of the paths, which are like
// Target.Path, and returns when each has had its first answer. Stop ends them.
func NewWitnesses(t Target, n int, paths ...string) *Witnesses {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Witnesses{cancel: cancel}
	t = t.withDefaults()
	var begun sync.WaitGroup
	for _, path := range paths {
		at := t
		at.Path, at.Pace = path, 0
		for i := range n {
			begun.Add(1)
			w.all.Go(func() { // ends with ctx, which Stop ends, or an error
				once := sync.OnceFunc(begun.Done)
				defer once()
				talk := at.chat
				if i%2 == 1 {
					talk = at.browse
				}
				if err := talk(ctx, func() { w.answers.Add(1); once() }); err != nil {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.errs = append(w.errs, fmt.Errorf("hostile: witness %d at %s: %w", i, path, err))
				}
			})
		}
	}
	begun.Wait()
	return w
}

// Answers is how many answers the witnesses have had.
func (w *Witnesses) Answers() int64 { return w.answers.Load() }

// Await waits until the witnesses have had n answers in all, or for limit.
func (w *Witnesses) Await(n int64, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for w.Answers() < n && rest(ctx, witnessPause) == nil {
	}
}

// Stop ends the witnesses and returns what went wrong for them. Each finishes
// what it has begun.
func (w *Witnesses) Stop() error {
	w.cancel()
	w.all.Wait()
	return errors.Join(w.errs...)
}

// chat sends messages of various sizes, three at a time, and closes in good
// order in the end.
func (t *Target) chat(ctx context.Context, answered func()) error {
	p, err := t.open(context.Background())
	if err != nil {
		return err
	}
	defer p.reset()
	for n := 0; ctx.Err() == nil; n++ {
		_ = p.conn.SetDeadline(time.Now().Add(t.Patience))
		messages := [][]byte{fmt.Appendf(nil, "%d first", n), []byte(pattern(n % 2000)), fmt.Appendf(nil, "%d last", n)}
		var sent []byte
		for _, m := range messages {
			sent = append(sent, frame(opText, m)...)
		}
		if err := p.write(sent...); err != nil {
			return err
		}
		for _, m := range messages {
			if err := p.wantMessage(opText, m); err != nil {
				return fmt.Errorf("message %d: %w", n, err)
			}
			answered()
		}
		_ = rest(ctx, witnessPause)
	}
	if err := p.write(frame(opClose, closing(1000))...); err != nil {
		return err
	}
	return p.wantClose(1000)
}

// browse sends requests on one connection, two at a time.
func (t *Target) browse(ctx context.Context, answered func()) error {
	p, err := t.dial(context.Background())
	if err != nil {
		return err
	}
	defer p.reset()
	for n := 0; ctx.Err() == nil; n++ {
		_ = p.conn.SetDeadline(time.Now().Add(t.Patience))
		path, body := fmt.Sprintf("/echo?n=%d", n), pattern(1+n%5000)
		if err := p.say(t.request("GET", path, "") + t.request("POST", path, body)); err != nil {
			return err
		}
		for _, want := range []string{t.Path + path, body} {
			if err := p.wantAnswer(200, want); err != nil {
				return fmt.Errorf("request %d: %w", n, err)
			}
			answered()
		}
		_ = rest(ctx, witnessPause)
	}
	return nil
}
