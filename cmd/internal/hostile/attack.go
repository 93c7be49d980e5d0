package hostile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Target is the server that is attacked, and how hard.
//
// Safe for concurrent use while nobody changes it.
type Target struct {
	// Addr is host:port.
	Addr string

	// Path is what the paths of the requests begin with. Default: "".
	Path string

	// Strict says that the server speaks to clients that are slow or have ended
	// their stream: 408 for a slow head, a whole response after the client's end
	// of stream, which then does not mean that it has gone. Without it such a
	// client is dropped, and may be so without a word. A strict server notices a
	// reset at any time, too, and not only while it reads or writes.
	Strict bool

	// Conns is how many connections an attack has at a time. Default: 10.
	Conns int

	// Times multiplies what an attack does. Default: 1.
	Times int

	// Pace is the pause of a connection between two steps of an attack that
	// could go on without one. Default: none, as fast as it goes.
	Pace time.Duration

	// Patience bounds every wait for the server. Default: 1 min.
	Patience time.Duration
}

// withDefaults returns a copy with every default filled in.
func (t Target) withDefaults() Target {
	if t.Conns < 1 {
		t.Conns = 10
	}
	if t.Times < 1 {
		t.Times = 1
	}
	if t.Patience <= 0 {
		t.Patience = time.Minute
	}
	return t
}

// pause is the pace of an attack; an error says that it is over.
func (t *Target) pause(ctx context.Context) error { return rest(ctx, t.Pace) }

// rest waits for d, or less if the attack is over. It is how slow a slow client
// is: nothing waits for it.
func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Attack is one kind of hostile client.
//
// Safe for concurrent use: immutable.
type Attack struct {
	Name string
	Does string // in one sentence

	run func(ctx context.Context, t *Target) error
}

// Run attacks once and blocks until that is done. An error says what the server
// did wrong; that ctx is done is none.
func (a Attack) Run(ctx context.Context, t Target) error {
	t = t.withDefaults()
	if err := a.run(ctx, &t); err != nil && ctx.Err() == nil {
		return fmt.Errorf("hostile: %s: %w", a.Name, err)
	}
	return nil
}

// Attacks are all of them.
var Attacks = []Attack{
	{"slow-heads", "sends request heads so slowly that they never end", slowHeads},
	{"slow-bodies", "sends request bodies so slowly that they never end", slowBodies},
	{"single-bytes", "speaks correctly, one byte at a time", singleBytes},
	{"deaf-pipeline", "pipelines requests and never reads a response", deafPipeline},
	{"deaf-echo", "sends WebSocket messages and never reads their echo", deafEcho},
	{"half-closes", "ends its stream in every place, and waits for what comes", halfCloses},
	{"resets", "resets connections in the middle of heads, bodies, frames and responses", resets},
	{"churn", "connects and drops, thousands of times", churn},
	{"hoard", "opens more connections than it needs, and holds them", hoard},
	{"panics", "asks for what makes the application panic", panics},
	{"upload-unread", "uploads 100 MiB to an application that does not read", uploadUnread},
	{"upload-slow", "uploads 100 MiB to an application that reads slowly", uploadSlow},
	{"slow-reader", "reads a response much more slowly than it is written", slowReader},
	{"departures", "leaves at every point of a request's or a WebSocket's life", departures},
	{"pipeline", "pipelines 1,000 requests behind one that takes its time", pipeline},
	{"timers", "has the application set very many timers", timers},
	{"posts", "has other goroutines post to exchanges without end", posts},
}

// Lookup returns the attack of that name.
func Lookup(name string) (Attack, error) {
	for _, a := range Attacks {
		if a.Name == name {
			return a, nil
		}
	}
	return Attack{}, fmt.Errorf("hostile: there is no attack %q", name)
}

// each runs fn for Target.Conns connections at a time, and returns what went
// wrong.
func each(t *Target, fn func(i int) error) error {
	errs := make([]error, t.Conns)
	var all sync.WaitGroup
	for i := range t.Conns {
		all.Go(func() { errs[i] = fn(i) }) // ends as fn does: after Patience at the latest
	}
	all.Wait()
	return errors.Join(errs...)
}
