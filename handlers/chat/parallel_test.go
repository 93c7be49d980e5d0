package chat_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/chat"
)

// Members on loops of their own see one order, without a gap, whoever publishes.
func TestManyLoops(t *testing.T) {
	asgitest.CheckGoroutines(t)
	const loops, each = 8, 25
	c, err := chat.New(chat.Config{MessageBurst: 1000, HistoryMessages: loops * each})
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	for i := range loops {
		done.Go(func() {
			x := asgitest.New(t, c, asgitest.WebSocketScope("/chat"))
			say := func(format string, args ...any) {
				x.Deliver(&asgi.WebSocketReceive{Data: fmt.Appendf(nil, format, args...)})
			}
			x.Deliver(&asgi.WebSocketConnect{})
			say(`{"type":"hello","session":"0123456789abcdef%d","name":"Loop"}`, i)
			say(`{"type":"join","room":"lobby"}`)
			for n := range each {
				say(`{"type":"say","room":"lobby","id":"%d","text":"x"}`, n)
			}
			var seqs []uint64
			at := 0
			x.Wait("every message", func() bool {
				sent := x.Sent()
				seqs = append(seqs, sequence(t, sent[at:])...)
				at = len(sent)
				return len(seqs) >= loops*each
			})
			for n, seq := range seqs {
				if seq != uint64(n+1) {
					t.Errorf("loop %d: message %d has the number %d", i, n+1, seq)
					break
				}
			}
		})
	}
	done.Wait()
}

// sequence returns the numbers of the messages among events, those of a "joined"
// included.
func sequence(t *testing.T, events []asgi.SendEvent) (seqs []uint64) {
	for _, ev := range events {
		send, ok := ev.(*asgi.WebSocketSend)
		if !ok {
			continue
		}
		var o struct {
			Type     string
			Seq      uint64
			Messages []struct{ Seq uint64 }
		}
		if err := json.Unmarshal(send.Data, &o); err != nil {
			t.Errorf("sent %q: %v", send.Data, err)
		}
		for _, m := range o.Messages {
			seqs = append(seqs, m.Seq)
		}
		if o.Type == "message" {
			seqs = append(seqs, o.Seq)
		}
	}
	return seqs
}

// loop is an Exchange that drops what is sent and runs what is posted on call.
type loop struct {
	asgi.Exchange
	posted []func()
}

func (l *loop) Send(asgi.SendEvent) error { return nil }
func (l *loop) Congested() bool           { return false }

func (l *loop) Post(fn func()) bool {
	l.posted = append(l.posted, fn)
	return true
}

func (l *loop) run() {
	for _, fn := range l.posted {
		fn()
	}
	l.posted = l.posted[:0]
}

// BenchmarkPublish is a message to a room of 100, each of whom is on a loop that
// has to be woken.
func BenchmarkPublish(b *testing.B) {
	const members = 100
	c, err := chat.New(chat.Config{MessageRate: 1e9, MessageBurst: 1e9, HistoryMessages: -1})
	if err != nil {
		b.Fatal(err)
	}
	loops := make([]*loop, members)
	var first asgi.Receiver
	for i := range loops {
		x := asgitest.New(b, c, asgitest.WebSocketScope("/"))
		loops[i] = &loop{Exchange: x}
		r := c.Open(asgitest.WebSocketScope("/"), loops[i])
		r.Receive(&asgi.WebSocketConnect{})
		r.Receive(&asgi.WebSocketReceive{Data: fmt.Appendf(nil, `{"type":"hello","session":"0123456789abcdef%d","name":"x"}`, i)})
		r.Receive(&asgi.WebSocketReceive{Data: []byte(`{"type":"join","room":"lobby"}`)})
		first = r
	}
	say := &asgi.WebSocketReceive{Data: []byte(`{"type":"say","room":"lobby","id":"1","text":"Good morning! Is the loop still running?"}`)}
	b.ReportAllocs()
	for b.Loop() {
		first.Receive(say)
		for _, l := range loops {
			l.run()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/member")
}
