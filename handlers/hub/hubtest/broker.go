package hubtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
)

// Setup is what a broker is to be made with for a test.
type Setup struct {
	Options     func(channel string) hub.Options // those of the history count
	MaxChannels int                              // zero: no bound
	Now         func() time.Time
}

// TestBroker tests what a Broker promises. make returns a broker on which nothing
// was called yet; the test closes it.
func TestBroker(t *testing.T, make func(t *testing.T, s Setup) hub.Broker) {
	for _, c := range brokerCases {
		t.Run(c.name, func(t *testing.T) {
			asgitest.CheckLeaks(t)
			b := &bench{t: t, now: time.Unix(1_700_000_000, 0), told: map[string][]*hub.Message{}, came: map[string][]string{}}
			if b.budget = hub.NewBudget(1 << 30); c.bytes > 0 {
				b.budget = hub.NewBudget(c.bytes)
			}
			b.Broker = make(t, Setup{Options: c.options, MaxChannels: c.maxChannels, Now: b.clock})
			if err := b.Start(b, b.budget); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
			c.run(b)
		})
	}
}

// waitLimit is how long something may take.
const waitLimit = time.Minute

// bench is a broker under test, and the hub that it tells.
type bench struct {
	hub.Broker
	t      *testing.T
	budget *hub.Budget

	mu   sync.Mutex
	now  time.Time
	told map[string][]*hub.Message
	came map[string][]string // presence: "+client" and "-client"
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// pass lets time pass. A broker that can sweep does so at once.
func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	b.now = b.now.Add(d)
	b.mu.Unlock()
	if s, ok := b.Broker.(interface{ Sweep() }); ok {
		s.Sweep()
	}
}

// Messages, Presence and Lost are [hub.Events].
func (b *bench) Messages(channel string, batch []*hub.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told[channel] = append(b.told[channel], batch...)
}

func (b *bench) Presence(channel string, c hub.PresenceChange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sign := "+"
	if c.Left {
		sign = "-"
	}
	b.came[channel] = append(b.came[channel], sign+c.Member.Client)
}

func (b *bench) Lost(channel string) { b.t.Errorf("lost %q without a reason", channel) }

// wait waits until cond is true, which is called with the lock held.
func (b *bench) wait(what string, cond func() bool) {
	b.t.Helper()
	for limit := time.Now().Add(waitLimit); ; {
		b.mu.Lock()
		ok := cond()
		b.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(limit) {
			b.t.Fatalf("%s: nothing within %v", what, waitLimit)
		}
		time.Sleep(time.Millisecond) // brokers have no signal for what they have told
	}
}

func await[T any](b *bench, what string, start func(done func(T))) T {
	b.t.Helper()
	answers := make(chan T, 2)
	start(func(answer T) { answers <- answer })
	select {
	case answer := <-answers:
		return answer
	case <-time.After(waitLimit):
		b.t.Fatalf("%s: no answer within %v", what, waitLimit)
		panic("unreachable")
	}
}

func (b *bench) publish(batch ...hub.Publication) []hub.Result {
	b.t.Helper()
	results := await(b, "Publish", func(done func([]hub.Result)) { b.Broker.Publish(batch, done) })
	if len(results) != len(batch) {
		b.t.Fatalf("%d results for %d publications", len(results), len(batch))
	}
	return results
}

// say publishes texts, and returns the last place.
func (b *bench) say(channel string, texts ...string) (last hub.Position) {
	b.t.Helper()
	for _, text := range texts {
		r := b.publish(hub.Publication{Channel: channel, Data: []byte(text)})[0]
		if r.Err != nil || r.Duplicate {
			b.t.Fatalf("publish %q in %s: %+v", text, channel, r)
		}
		last = r.Position
	}
	return last
}

type read struct {
	hub.History
	err error
}

func (b *bench) read(channel string, after hub.Position, limit hub.Limit) hub.History {
	b.t.Helper()
	r := await(b, "Read", func(done func(read)) {
		b.Read(channel, after, limit, func(h hub.History, err error) { done(read{h, err}) })
	})
	if r.err != nil {
		b.t.Fatalf("Read %s: %v", channel, r.err)
	}
	return r.History
}

func (b *bench) watch(channel string) {
	b.t.Helper()
	if err := await(b, "Watch", func(done func(error)) { b.Watch(channel, done) }); err != nil {
		b.t.Fatalf("Watch %s: %v", channel, err)
	}
}

func (b *bench) members(channel string, limit int) (clients []string, total int) {
	b.t.Helper()
	type answer struct {
		members []hub.Member
		total   int
		err     error
	}
	a := await(b, "Members", func(done func(answer)) {
		b.Members(channel, limit, func(m []hub.Member, total int, err error) { done(answer{m, total, err}) })
	})
	if a.err != nil {
		b.t.Fatalf("Members %s: %v", channel, a.err)
	}
	for _, m := range a.members {
		clients = append(clients, m.Client)
	}
	slices.Sort(clients)
	return clients, a.total
}

// expect compares how values print.
func (b *bench) expect(what string, got, want any) {
	b.t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		b.t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// line is values with blanks between them.
func line(values ...any) string { return strings.TrimSuffix(fmt.Sprintln(values...), "\n") }

func texts(messages []*hub.Message) []string {
	list := []string{}
	for _, m := range messages {
		list = append(list, string(m.Data))
	}
	return list
}

var everything = hub.Limit{Messages: -1}
