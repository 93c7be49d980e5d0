package hubtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gale-server/gale/handlers/hub"
)

// brokerCases are what TestBroker tests.
var brokerCases = []struct {
	name        string
	options     func(channel string) hub.Options
	maxChannels int
	bytes       int64 // of the budget; 0: more than any case needs
	run         func(*bench)
}{
	{"order", fixed(hub.Options{}), 0, 0, brokerOrder},
	{"batch", fixed(hub.Options{}), 0, 0, brokerBatch},
	{"limits of a read", fixed(hub.Options{HistoryMessages: 4}), 0, 0, brokerRead},
	{"bounds of the history", optionsByName, 0, 0, brokerHistory},
	{"no history", fixed(hub.Options{HistoryMessages: -1}), 0, 0, brokerNoHistory},
	{"age", fixed(hub.Options{HistoryAge: time.Minute}), 0, 0, brokerAge},
	{"a life of its own", fixed(hub.Options{}), 0, 0, brokerTTL},
	{"keys", fixed(hub.Options{HistoryMessages: 2}), 0, 0, brokerKeys},
	{"forget", fixed(hub.Options{}), 0, 0, brokerForget},
	{"places stay good", fixed(hub.Options{HistoryAge: time.Minute}), 0, 0, brokerPlaces},
	{"watch", fixed(hub.Options{}), 0, 0, brokerWatch},
	{"patterns", fixed(hub.Options{}), 0, 0, brokerPatterns},
	{"presence", fixed(hub.Options{Presence: true}), 0, 0, brokerPresence},
	{"count of channels", fixed(hub.Options{}), 0, 0, brokerCount},
	{"most channels", fixed(hub.Options{}), 3, 0, brokerMost},
	{"room for others", fixed(hub.Options{}), 0, 1 << 20, brokerRoom},
	{"publishers at once", fixed(hub.Options{HistoryMessages: 10_000}), 0, 0, brokerPublishers},
	{"readers at once", fixed(hub.Options{HistoryMessages: 50}), 0, 0, brokerReaders},
	{"close", fixed(hub.Options{}), 0, 0, brokerClose},
}

func fixed(o hub.Options) func(string) hub.Options {
	return func(string) hub.Options { return o }
}

// optionsByName bounds the history of channels by messages or bytes.
func optionsByName(channel string) hub.Options {
	if channel == "bytes" {
		return hub.Options{HistoryBytes: 1000}
	}
	return hub.Options{HistoryMessages: 3}
}

// The offsets of an epoch are 1, 2, 3, in what is told and in what is read; each
// channel has its own.
func brokerOrder(b *bench) {
	b.watch("a")
	b.watch("b")
	at := b.say("a", "1", "2")
	b.say("b", "x")
	at2 := b.say("a", "3")
	b.expect("places", line(at.Offset, at2.Offset, at.Epoch == at2.Epoch, at.Epoch != ""), "2 3 true true")
	b.wait("what is told", func() bool { return len(b.told["a"]) >= 3 && len(b.told["b"]) >= 1 })
	h := b.read("a", hub.Position{}, everything)
	b.expect("read", texts(h.Messages), "[1 2 3]")
	b.expect("top", h.Top, at2)
	b.expect("start", h.Start, hub.Position{Epoch: at.Epoch})
	for i, m := range h.Messages {
		b.expect("place", m.Position, hub.Position{Epoch: at.Epoch, Offset: uint64(i + 1)})
		b.expect("channel", m.Channel, "a")
		b.mu.Lock()
		if i < len(b.told["a"]) {
			b.expect("told", string(b.told["a"][i].Data), string(m.Data))
			b.expect("told place", b.told["a"][i].Position, m.Position)
		}
		b.mu.Unlock()
	}
	b.expect("another channel", texts(b.read("b", hub.Position{}, everything).Messages), "[x]")
	none := b.read("c", hub.Position{}, everything)
	b.expect("a channel that is not there", none, hub.History{})
	if h := b.read("c", at, everything); h.Missing != -1 {
		b.t.Errorf("a place in a channel that is not there: %d missing", h.Missing)
	}
}

// A batch is as many publications, and may be used again.
func brokerBatch(b *bench) {
	batch := []hub.Publication{
		{Channel: "a", Data: []byte("1"), Publisher: "ann", Tags: map[string]string{"k": "v"}},
		{Channel: "b", Data: []byte("x")},
		{Channel: "a", Data: []byte("2"), Key: "key"},
		{Channel: "a", Data: nil},
	}
	results := b.publish(batch...)
	for i, want := range []uint64{1, 1, 2, 3} {
		b.expect("result", line(results[i].Offset, results[i].Err), line(want, nil))
	}
	clear(batch)
	h := b.read("a", hub.Position{}, everything)
	b.expect("read", texts(h.Messages), "[1 2 ]")
	if len(h.Messages) == 3 {
		b.expect("all of it", line(h.Messages[0].Publisher, h.Messages[0].Tags, h.Messages[1].Key, h.Messages[0].Time.Unix()), "ann map[k:v] key 1700000000")
	}
	b.expect("an empty batch", len(b.publish()), 0)
}

// A read begins at its place, and ends at its limit.
func brokerRead(b *bench) {
	e := b.say("a", "1", "2", "333", "4444", "55555", "6").Epoch // 1 and 2 are gone
	at := func(offset uint64) hub.Position { return hub.Position{Epoch: e, Offset: offset} }
	for _, c := range []struct {
		after          hub.Position
		limit          hub.Limit
		texts          string
		start, missing int
	}{
		{at(2), everything, "[333 4444 55555 6]", 2, 0},
		{at(4), everything, "[55555 6]", 4, 0},
		{at(6), everything, "[]", 6, 0},
		{at(1), everything, "[333 4444 55555 6]", 2, 1},
		{at(0), everything, "[333 4444 55555 6]", 2, 2},
		{hub.Position{}, everything, "[333 4444 55555 6]", 2, 2},
		{hub.Position{Offset: 99}, everything, "[333 4444 55555 6]", 2, 2},
		{at(7), everything, "[]", 6, -1},
		{hub.Position{Epoch: "another", Offset: 3}, everything, "[333 4444 55555 6]", 2, -1},
		{at(2), hub.Limit{Messages: 2}, "[333 4444]", 2, 0},
		{at(1), hub.Limit{Messages: 2}, "[333 4444]", 2, 1},
		{at(2), hub.Limit{Messages: -1, Bytes: 7}, "[333 4444]", 2, 0},
		{at(2), hub.Limit{Messages: -1, Bytes: 6}, "[333]", 2, 0},
		{at(2), hub.Limit{Messages: -1, Bytes: 1}, "[333]", 2, 0},
		{at(2), hub.Limit{Messages: -1, Bytes: -1}, "[333 4444 55555 6]", 2, 0},
		{at(6), hub.Limit{Messages: -1, Bytes: 1}, "[]", 6, 0},
		{at(3), hub.Limit{}, "[]", 6, 3},
		{hub.Position{}, hub.Limit{}, "[]", 6, 6},
		{at(2), hub.Limit{Messages: 1, Newest: true}, "[6]", 5, 3},
		{at(1), hub.Limit{Messages: 2, Newest: true}, "[55555 6]", 4, 3},
		{at(5), hub.Limit{Messages: 3, Newest: true}, "[6]", 5, 0},
		{at(2), hub.Limit{Messages: -1, Bytes: 6, Newest: true}, "[55555 6]", 4, 2},
		{at(2), hub.Limit{Messages: -1, Newest: true}, "[333 4444 55555 6]", 2, 0},
		{hub.Position{Epoch: "another"}, hub.Limit{Messages: 1, Newest: true}, "[6]", 5, -1},
	} {
		h := b.read("a", c.after, c.limit)
		b.expect(fmt.Sprintf("after %+v, %+v", c.after, c.limit), line(texts(h.Messages), h.Start, h.Missing, h.Top),
			line(c.texts, at(uint64(c.start)), c.missing, at(6)))
	}
	h := b.read("a", at(2), everything)
	clear(h.Messages)
	b.expect("a slice of its own", texts(b.read("a", at(2), everything).Messages), "[333 4444 55555 6]")
}

// A history is bounded by messages and by bytes.
func brokerHistory(b *bench) {
	b.say("messages", "1", "2", "3")
	b.expect("as many as may be", texts(b.read("messages", hub.Position{}, everything).Messages), "[1 2 3]")
	b.say("messages", "4")
	h := b.read("messages", hub.Position{}, everything)
	b.expect("one more", line(texts(h.Messages), h.Missing, h.Start.Offset, h.Top.Offset), "[2 3 4] 1 1 4")

	b.say("bytes", strings.Repeat("a", 100), strings.Repeat("b", 100), strings.Repeat("c", 200)) // and 200 for each
	b.expect("as many bytes as may be", len(b.read("bytes", hub.Position{}, everything).Messages), 3)
	b.say("bytes", "")
	h = b.read("bytes", hub.Position{}, everything)
	b.expect("more", line(len(h.Messages), h.Missing), "3 1")
	b.say("bytes", strings.Repeat("d", 801)) // more than there may be
	h = b.read("bytes", hub.Position{}, everything)
	b.expect("too many for all of it", line(len(h.Messages), h.Missing, h.Start.Offset, h.Top.Offset), "0 5 5 5")
	b.say("bytes", "e")
	b.expect("and on", texts(b.read("bytes", hub.Position{Epoch: h.Top.Epoch, Offset: 5}, everything).Messages), "[e]")
}

// A channel without a history has offsets while somebody watches it.
func brokerNoHistory(b *bench) {
	r := b.publish(hub.Publication{Channel: "a", Data: []byte("0")})[0]
	b.expect("nobody watches", r.Err, nil)
	b.expect("channels", b.Channels(), 0)
	b.watch("a")
	at := b.say("a", "1", "2")
	b.wait("what is told", func() bool { return len(b.told["a"]) >= 2 })
	h := b.read("a", at, everything)
	b.expect("at the top", line(len(h.Messages), h.Missing, h.Start == at, h.Top == at), "0 0 true true")
	h = b.read("a", hub.Position{Epoch: at.Epoch, Offset: at.Offset - 1}, everything)
	b.expect("before it", line(len(h.Messages), h.Missing, h.Start == at), "0 1 true")
}

// What is too old is gone, at once for who reads and soon for who counts.
func brokerAge(b *bench) {
	at := b.say("a", "1")
	b.pass(30 * time.Second)
	b.say("a", "2")
	b.pass(30*time.Second - 1)
	b.expect("not yet", texts(b.read("a", hub.Position{}, everything).Messages), "[1 2]")
	b.pass(1)
	h := b.read("a", hub.Position{}, everything)
	b.expect("then", line(texts(h.Messages), h.Missing), "[2] 1")
	h = b.read("a", at, everything)
	b.expect("who has seen it", line(texts(h.Messages), h.Missing), "[2] 0")
	b.pass(30 * time.Second)
	h = b.read("a", at, everything)
	if len(h.Messages) > 0 || h.Missing == 0 {
		b.t.Errorf("all of it: %+v", h)
	}
	b.wait("no channel", func() bool { return b.Channels() == 0 })
}

// What has expired by its own TTL keeps its place; the hub does not hand it out.
func brokerTTL(b *bench) {
	b.publish(hub.Publication{Channel: "a", Data: []byte("1"), TTL: time.Second}, hub.Publication{Channel: "a", Data: []byte("2")})
	b.pass(time.Minute)
	h := b.read("a", hub.Position{}, everything)
	b.expect("read", line(h.Missing, h.Top.Offset, h.Messages[len(h.Messages)-1].Offset), "0 2 2")
	if len(h.Messages) == 2 {
		b.expect("TTL", h.Messages[0].TTL, time.Second)
	}
}

// A key counts once, while the message is in the history.
func brokerKeys(b *bench) {
	b.watch("a")
	key := func(channel, key, text string) string {
		r := b.publish(hub.Publication{Channel: channel, Key: key, Data: []byte(text)})[0]
		return line(r.Offset, r.Duplicate, r.Err)
	}
	b.expect("first", key("a", "k", "1"), "1 false <nil>")
	b.expect("again", key("a", "k", "2"), "1 true <nil>")
	b.expect("another key", key("a", "l", "3"), "2 false <nil>")
	b.expect("another channel", key("b", "k", "4"), "1 false <nil>")
	b.expect("again", key("a", "k", "5"), "1 true <nil>")
	b.expect("no key", key("a", "", "6")+key("a", "", "6"), "3 false <nil>4 false <nil>")
	b.expect("forgotten", key("a", "k", "7"), "5 false <nil>")
	b.wait("what is told", func() bool { return len(b.told["a"]) >= 5 })
	b.expect("told", texts(b.told["a"]), "[1 3 6 6 7]")
	scoped := func(scope, text string) string {
		r := b.publish(hub.Publication{Channel: "c", Key: "k", KeyScope: scope, Data: []byte(text)})[0]
		return line(r.Offset, r.Duplicate, r.Err)
	}
	b.expect("the server's", scoped("", "1"), "1 false <nil>")
	b.expect("ann's", scoped("user ann", "2"), "2 false <nil>")
	b.expect("bob's", scoped("user bob", "3"), "3 false <nil>")
	b.expect("ann's again", scoped("user ann", "4"), "2 true <nil>")
	b.expect("the server's, forgotten", scoped("", "5"), "4 false <nil>") // the history holds two
	b.Forget("a")
	b.expect("after Forget", key("a", "k", "8"), "1 false <nil>")
}

// What is forgotten begins anew, and who has a place is told that it is not one.
func brokerForget(b *bench) {
	b.watch("a")
	at := b.say("a", "1", "2")
	b.Forget("a")
	b.Forget("nothing")
	h := b.read("a", at, everything)
	b.expect("forgotten", line(len(h.Messages), h.Missing, h.Top.Epoch != at.Epoch, h.Top.Offset), "0 -1 true 0")
	next := b.say("a", "3")
	b.expect("anew", line(next.Offset, next.Epoch != at.Epoch), "1 true")
	h = b.read("a", at, everything)
	b.expect("the old place", line(texts(h.Messages), h.Missing, h.Start), line("[3]", -1, hub.Position{Epoch: next.Epoch}))
	b.wait("what is told", func() bool { return len(b.told["a"]) >= 3 })
	b.expect("told", b.told["a"][2].Position, next)
	b.Forget("b")
	b.say("b", "1")
	b.Forget("b")
	b.expect("channels", b.Channels(), 1)
}

// A place is good for HistoryAge after the channel was last used: who comes back to
// it has missed nothing.
func brokerPlaces(b *bench) {
	b.watch("a")
	top := b.read("a", hub.Position{}, everything).Top
	b.Unwatch("a")
	b.pass(time.Minute - 1)
	b.expect("nothing missed", b.read("a", top, everything).Missing, 0)
	b.watch("a")
	b.pass(time.Hour)
	b.expect("watched", b.read("a", top, everything).Missing, 0)
	at := b.say("a", "1")
	b.Unwatch("a")
	b.pass(time.Minute - 1)
	h := b.read("a", top, everything)
	b.expect("after an hour", line(texts(h.Messages), h.Missing), "[1] 0")
	b.pass(time.Hour)
	b.wait("no channel", func() bool { return b.Channels() == 0 })
	b.expect("too late", b.read("a", at, everything).Missing, -1)
	if again := b.say("a", "2"); again.Epoch == at.Epoch {
		b.t.Error("another life has the same epoch")
	}
}

// What is published is told to who watches.
func brokerWatch(b *bench) {
	b.say("a", "1")
	b.watch("a")
	b.say("a", "2")
	b.wait("what is told", func() bool { return len(b.told["a"]) > 0 && string(b.told["a"][len(b.told["a"])-1].Data) == "2" })
	b.Unwatch("a")
	b.Unwatch("nothing")
	b.say("a", "3")
	b.watch("a")
	b.say("a", "4")
	b.wait("what is told", func() bool { return string(b.told["a"][len(b.told["a"])-1].Data) == "4" })
	b.expect("read", texts(b.read("a", hub.Position{}, everything).Messages), "[1 2 3 4]")
}

// A pattern stands for all channels that begin so, those of which nobody knew too.
func brokerPatterns(b *bench) {
	b.watch("a:*")
	b.say("a:1", "x")
	b.say("b:1", "y")
	b.say("a:2", "z")
	b.wait("what is told", func() bool { return len(b.told["a:1"]) == 1 && len(b.told["a:2"]) == 1 })
	b.Unwatch("a:*")
	b.watch("*")
	b.say("b:2", "x")
	b.wait("what is told", func() bool { return len(b.told["b:2"]) == 1 })
	b.Unwatch("*")
}

// Who is present comes once and leaves once.
func brokerPresence(b *bench) {
	ann, bob := hub.Member{Client: "1", User: "ann", Info: []byte(`{"n":1}`)}, hub.Member{Client: "2", User: "bob"}
	b.watch("a")
	b.Enter("a", ann)
	b.Enter("a", ann)
	b.Enter("a", bob)
	b.wait("who comes", func() bool { return len(b.came["a"]) >= 2 })
	clients, total := b.members("a", -1)
	b.expect("members", line(clients, total), "[1 2] 2")
	clients, total = b.members("a", 1)
	b.expect("one of them", line(len(clients), total), "1 2")
	clients, total = b.members("a", 0)
	b.expect("how many", line(len(clients), total), "0 2")
	clients, total = b.members("b", -1)
	b.expect("elsewhere", line(clients, total), "[] 0")
	b.Leave("a", ann)
	b.Leave("a", ann)
	b.Leave("b", bob)
	b.Enter("a", ann)
	b.Leave("a", bob)
	b.Leave("a", ann)
	b.wait("who leaves", func() bool { return len(b.came["a"]) >= 6 })
	b.expect("told", b.came["a"], "[+1 +2 -1 +1 -2 -1]")
	clients, total = b.members("a", -1)
	b.expect("nobody", line(clients, total), "[] 0")
	b.Unwatch("a")
}

// Channels are counted while something keeps them.
func brokerCount(b *bench) {
	b.expect("at first", b.Channels(), 0)
	b.say("a", "1")
	b.say("a", "2")
	b.watch("b")
	b.Enter("b", hub.Member{Client: "1"})
	b.read("c", hub.Position{}, everything)
	b.expect("two", b.Channels(), 2)
	b.Unwatch("b")
	b.pass(time.Hour)
	b.wait("without the history", func() bool { return b.Channels() == 1 })
	clients, _ := b.members("b", -1)
	b.expect("members keep a channel", clients, "[1]")
	b.Leave("b", hub.Member{Client: "1"})
	b.wait("none", func() bool { return b.Channels() == 0 })
}

// There are no more channels than may be, but what nobody uses makes room.
func brokerMost(b *bench) {
	b.say("a", "1")
	b.say("b", "1")
	b.say("c", "1")
	refused := func(err error) bool {
		var e *hub.Error
		return errors.As(err, &e) && e.Code == hub.TooMany
	}
	if r := b.publish(hub.Publication{Channel: "d"})[0]; !refused(r.Err) {
		b.t.Errorf("one more: %v", r.Err)
	}
	if err := await(b, "Watch", func(done func(error)) { b.Watch("d", done) }); !refused(err) {
		b.t.Errorf("one more: %v", err)
	}
	b.say("a", "2")
	b.expect("channels", b.Channels(), 3)
	b.Forget("a")
	b.say("d", "1")
	b.expect("channels", b.Channels(), 3)
}

// Publishers at once get places of their own, and everybody sees one order.
func brokerPublishers(b *bench) {
	const publishers, each = 8, 100
	b.watch("a")
	var mu sync.Mutex
	places := map[uint64]string{}
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				text := line(p, i)
				b.Publish([]hub.Publication{{Channel: "a", Data: []byte(text)}}, func(r []hub.Result) {
					mu.Lock()
					defer mu.Unlock()
					if r[0].Err != nil || places[r[0].Offset] != "" {
						b.t.Errorf("%q: %+v, and %q", text, r[0], places[r[0].Offset])
					}
					places[r[0].Offset] = text
				})
			}
		})
	}
	all.Wait()
	b.wait("what is told", func() bool { return len(b.told["a"]) >= publishers*each })
	h := b.read("a", hub.Position{}, everything)
	if len(h.Messages) != publishers*each || len(b.told["a"]) != publishers*each {
		b.t.Fatalf("%d messages, told %d", len(h.Messages), len(b.told["a"]))
	}
	b.wait("the answers", func() bool { mu.Lock(); defer mu.Unlock(); return len(places) == publishers*each })
	last := map[int]int{}
	for i, m := range h.Messages {
		if m.Offset != uint64(i+1) || b.told["a"][i].Offset != m.Offset || string(m.Data) != places[m.Offset] {
			b.t.Fatalf("message %d is %+v, told %+v, published %q", i+1, m, b.told["a"][i], places[m.Offset])
		}
		var p, n int
		if _, err := fmt.Sscan(string(m.Data), &p, &n); err != nil || n != last[p] {
			b.t.Fatalf("publisher %d: %d instead of %d: %v", p, n, last[p], err)
		}
		last[p]++
	}
}

// Who reads while others publish sees all of it once, and what is lost is counted.
func brokerReaders(b *bench) {
	const messages = 500
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			at, seen := hub.Position{}, int64(0)
			limit := time.Now().Add(waitLimit)
			for seen < messages && time.Now().Before(limit) {
				answers := make(chan hub.History, 1)
				b.Read("a", at, hub.Limit{Messages: 7}, func(h hub.History, err error) {
					if err != nil {
						b.t.Error(err)
					}
					answers <- h
				})
				h := <-answers
				if h.Missing < 0 || at.Epoch != "" && h.Start.Offset != at.Offset+uint64(h.Missing) {
					b.t.Errorf("after %v: %+v", at, h)
					return
				}
				seen += h.Missing
				at = h.Start
				for _, m := range h.Messages {
					if at.Offset++; m.Offset != at.Offset {
						b.t.Errorf("%v instead of %v", m.Offset, at.Offset)
						return
					}
					seen++
				}
			}
			if seen != messages {
				b.t.Errorf("a reader saw %d of %d", seen, messages)
			}
		})
	}
	for i := range messages {
		b.Publish([]hub.Publication{{Channel: "a", Data: fmt.Append(nil, i)}}, func([]hub.Result) {})
	}
	all.Wait()
}

// A broker that is closed publishes nothing.
func brokerClose(b *bench) {
	b.watch("a")
	b.say("a", "1")
	if err := b.Close(); err != nil {
		b.t.Error(err)
	}
	for _, channel := range []string{"a", "b"} {
		if r := b.publish(hub.Publication{Channel: channel})[0]; r.Err == nil {
			b.t.Errorf("published in %s after Close: %+v", channel, r)
		}
	}
	if err := await(b, "Watch", func(done func(error)) { b.Watch("b", done) }); err == nil {
		b.t.Error("watches after Close")
	}
	b.Leave("a", hub.Member{Client: "1"})
	b.Unwatch("a")
	b.Forget("a")
	if err := b.Close(); err != nil {
		b.t.Error(err)
	}
}

// Above the budget the channels that were unused the longest lose their history, the
// oldest messages first, and who comes back for them is told a gap. What nothing
// keeps any more may be forgotten.
func brokerRoom(b *bench) {
	const channels, most = 40, 20
	text := strings.Repeat("x", 1000)
	name := func(i int) string { return fmt.Sprint("c", i) }
	places := make([]hub.Position, channels)
	b.watch(name(0))
	b.watch(name(1))
	first, used := b.say(name(0), text), b.say(name(1), text)
	for i := 2; i < channels; i++ {
		for range most {
			places[i] = b.say(name(i), text)
			if used, most := b.budget.Bytes(); used > most {
				b.t.Fatalf("%d bytes of %d", used, most)
			}
		}
		b.read(name(1), used, everything) // which is a use
	}
	b.expect("of the watched channel that was unused", b.read(name(0), hub.Position{Epoch: first.Epoch}, everything).Missing, 1)
	b.expect("of the channel that was read", len(b.read(name(1), hub.Position{}, everything).Messages), 1)
	lost, whole := 0, 0
	for i := 2; i < channels; i++ {
		from := places[i]
		from.Offset = 0
		h := b.read(name(i), from, everything)
		switch n := len(h.Messages); {
		case n < most && h.Missing != int64(most-n) && (n > 0 || h.Missing != -1):
			b.t.Errorf("channel %d has %d messages, and %d are told to be missing", i, n, h.Missing)
		case n < most && whole > 0:
			b.t.Errorf("channel %d has lost what one has not that was unused for longer", i)
		case n < most:
			lost++
		default:
			whole++
		}
	}
	if lost == 0 || whole < 5 {
		b.t.Errorf("%d channels have lost something, %d nothing", lost, whole)
	}
	for _, m := range b.read(name(channels-1), hub.Position{}, everything).Messages {
		m.Encoded(hub.JSON)
	}
	for i := range channels {
		b.Unwatch(name(i))
		b.Forget(name(i))
	}
	if used, _ := b.budget.Bytes(); used != 0 {
		b.t.Errorf("%d bytes are left of nothing", used)
	}
}
