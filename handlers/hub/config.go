package hub

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Config holds what a hub allows, and its limits. In every field zero means the
// default; a negative number is refused by [New] unless the field says what it
// means.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Channels are the options of channels by the beginning of their names; the
	// longest that fits counts, and "" fits all. Default: the zero Options for
	// all.
	Channels map[string]Options

	// Broker keeps the channels. Default: a [Memory].
	Broker Broker

	// Allow says whether a client may do something in a channel; an *Error is
	// told to it, and any other counts as NotAllowed. It is called on loops and
	// must not block. Default: what the identity's grants say.
	Allow func(who *Identity, what Action, channel string) error

	// Ask says the same of what takes a while to find out, such as by asking another
	// process: whether a client may subscribe to a channel or read its history, which is
	// Subscribe, and see who is there, which is Presence. Whether it may publish is up to
	// Allow alone. It is called on loops after Allow has let the client pass, and must not
	// block: answer is called once, before Ask returns or later, on any goroutine. A
	// client may wait for as many answers as MaxSubscriptions. A subscription that there
	// is stays when the client's identity is renewed: see Hub.Unsubscribe. Default: nothing
	// is asked.
	Ask func(who *Identity, what Action, channel string, answer func(error))

	// MaxClients bounds the clients at a time, parked polls among them. Default
	// 1 million: descriptors run out before.
	MaxClients int

	// MaxClientsPerUser bounds those of one user that has a name. Default 100: a
	// person has a dozen of tabs.
	MaxClientsPerUser int

	// MaxSubscriptions bounds those of one client. Default 128.
	MaxSubscriptions int

	// MaxChannels bounds the channels that are kept: with subscribers, a history,
	// or members. What would make another is refused with TooMany. Those of which
	// only places are kept make room. Default 2 million: some hundred bytes each.
	MaxChannels int

	// MaxBytes bounds the memory that the hub takes: the messages of all channels
	// with all that is around them, what transports have encoded of them, those
	// that wait for a loop, channels, subscriptions and members. Above it, the
	// channels that were unused the longest lose their history, the oldest messages
	// first: who comes back for them is told a gap. If there is no history left,
	// what would need more is refused with TooMany. It holds at least 16 messages of
	// MaxPublishBytes. Default: a quarter of GOMEMLIMIT, or, without that, of what
	// the control group or the machine has: collecting garbage takes as much again
	// and more, and connections have the rest. Beside it are the tables of rates, see
	// MaxRates, and the identities of clients, of which there are MaxClients.
	MaxBytes int64

	// MaxPublishBytes bounds a payload. Default 64 KiB: what is larger is better
	// fetched by those who want it.
	MaxPublishBytes int

	// PublishRate and PublishBurst bound what one user publishes, or one
	// address of those who have no name, over all connections and transports, in
	// messages per second in the long run, and at once; see Identity.Address.
	// Default 10 and 50. A negative PublishRate means that there is no bound.
	PublishRate  float64
	PublishBurst int

	// MaxRates bounds the users and addresses, and the channels, of which it is
	// known how much they have published lately. Above it, the one that was silent
	// the longest may publish a whole PublishBurst again. Default 100,000: some
	// 200 bytes each.
	MaxRates int

	// MaxBacklog bounds the messages that wait for one loop. Above it, as when an
	// application holds the loop, its clients read them from the histories
	// afterwards. Default 4096.
	MaxBacklog int

	// RevocationAge is how long it is remembered who was disconnected, or
	// unsubscribed, by the server: as long as a proof of before may still be good.
	// Default 25 h: a little more than the default of jwt.Config.MaxAge. With another
	// MaxAge it must be more than jwt.Verifier.LongestLife.
	RevocationAge time.Duration

	// MaxRevocations bounds how many are remembered, each with some 300 bytes. Beyond,
	// the oldest one makes room, and stands for everybody: who comes with a token of
	// before it needs a new one. Default 100,000.
	MaxRevocations int

	// Logger gets what no client can be told. It is called on loops, and must not
	// wait for its writer. Default: slog.Default().
	Logger *slog.Logger

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Options are what is special to a channel. In every field zero means the
// default.
type Options struct {
	// HistoryMessages, HistoryBytes (of payloads, keys and tags, and 200 for each)
	// and HistoryAge bound the history, which is the window in which nothing is
	// lost. Default 256 messages, 1 MiB, 5 minutes: long enough to change trains. A
	// negative HistoryMessages means that there is none. All channels together are
	// bounded by Config.MaxBytes.
	//
	// The places of a channel stay good for HistoryAge after somebody last
	// published or watched.
	HistoryMessages int
	HistoryBytes    int
	HistoryAge      time.Duration

	// Slow says what becomes of a subscriber that does not keep up. Default:
	// SlowDisconnect.
	Slow SlowPolicy

	// MaxLagBytes is how far a subscriber may be behind before the policy acts,
	// counted like HistoryBytes, and beyond what its connection holds. Default:
	// half of HistoryBytes.
	MaxLagBytes int

	// MaxSubscribers bounds those of the channel in this process. Default: none
	// but Config.MaxClients.
	MaxSubscribers int

	// PublishRate and PublishBurst bound what all clients together publish.
	// Default: no bound but those of each client.
	PublishRate  float64
	PublishBurst int

	// Presence keeps who is there: members, and their coming and going, which is
	// told as it happens and not kept. A subscriber whose connection takes nothing
	// for a while, or whose loop is far behind, misses some of it; Client.Members
	// says how it is.
	Presence bool
}

// SlowPolicy is what becomes of a subscriber that does not keep up.
type SlowPolicy uint8

// The policies.
const (
	// SlowDisconnect ends the client with TooSlow. It may come back for what it
	// has missed.
	SlowDisconnect SlowPolicy = iota

	// SlowDropOldest lets it go on where it is; what the history has dropped
	// meanwhile is a gap.
	SlowDropOldest

	// SlowLatest lets it go on with the newest message, and a gap before it. It is
	// for values of which the last counts. A subscription to a pattern does as with
	// SlowDropOldest.
	SlowLatest
)

// Action is what a client asks to be allowed.
type Action uint8

// The actions.
const (
	Subscribe Action = iota // to get a channel's messages, those of the history too
	Publish
	Presence // to see who is there
)

func (a Action) String() string {
	return [...]string{"subscribe to", "publish in", "see who is in"}[a]
}

// withDefaults returns c with every default put in, or an error that names what
// makes no sense.
func (c Config) withDefaults() (Config, error) {
	for name, limit := range map[string]int{
		"MaxClients": c.MaxClients, "MaxClientsPerUser": c.MaxClientsPerUser, "MaxSubscriptions": c.MaxSubscriptions,
		"MaxChannels": c.MaxChannels, "MaxPublishBytes": c.MaxPublishBytes, "MaxBacklog": c.MaxBacklog,
		"PublishBurst": c.PublishBurst, "MaxRates": c.MaxRates, "MaxRevocations": c.MaxRevocations,
	} {
		if limit < 0 {
			return c, fmt.Errorf("hub: %s is negative", name)
		}
	}
	if c.RevocationAge < 0 {
		return c, errors.New("hub: RevocationAge is negative")
	}
	standard(&c.MaxClients, 1_000_000)
	standard(&c.MaxClientsPerUser, 100)
	standard(&c.MaxSubscriptions, 128)
	standard(&c.MaxChannels, 2_000_000)
	standard(&c.MaxPublishBytes, 64<<10)
	least := 16 * int64(c.MaxPublishBytes)
	standard(&c.MaxBytes, max(defaultBytes(), least))
	if c.MaxBytes < least {
		return c, errors.New("hub: MaxBytes is less than 16 times MaxPublishBytes")
	}
	standard(&c.PublishRate, 10)
	standard(&c.PublishBurst, 50)
	standard(&c.MaxRates, 100_000)
	standard(&c.MaxBacklog, 4096)
	standard(&c.RevocationAge, 25*time.Hour)
	standard(&c.MaxRevocations, 100_000)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Allow == nil {
		c.Allow = func(who *Identity, what Action, channel string) error { return who.allow(what, channel) }
	}
	if odd(c.PublishRate) {
		return c, errors.New("hub: PublishRate is no number")
	}
	channels := make(map[string]Options, len(c.Channels)+1)
	channels[""] = Options{}.withDefaults()
	for prefix, o := range c.Channels {
		if o.HistoryBytes < 0 || o.HistoryAge < 0 || o.MaxLagBytes < 0 || o.MaxSubscribers < 0 || o.PublishRate < 0 || o.PublishBurst < 0 {
			return c, fmt.Errorf("hub: a limit of the channels %q is negative", prefix)
		}
		if odd(o.PublishRate) {
			return c, fmt.Errorf("hub: the PublishRate of the channels %q is no number", prefix)
		}
		if o.Slow > SlowLatest {
			return c, fmt.Errorf("hub: the channels %q have no such SlowPolicy", prefix)
		}
		channels[prefix] = o.withDefaults()
	}
	c.Channels = channels
	return c, nil
}

// odd reports whether a rate is none: a bucket would never be empty.
func odd(rate float64) bool { return math.IsNaN(rate) || math.IsInf(rate, 0) }

func (o Options) withDefaults() Options {
	standard(&o.HistoryMessages, 256)
	standard(&o.HistoryBytes, 1<<20)
	standard(&o.HistoryAge, 5*time.Minute)
	standard(&o.MaxLagBytes, o.HistoryBytes/2)
	if o.PublishBurst == 0 {
		o.PublishBurst = max(1, int(o.PublishRate))
	}
	return o
}

func standard[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// optionsOf finds the options of a channel: those of the longest prefix.
func optionsOf(channels map[string]Options, channel string) Options {
	if len(channels) > 1 {
		for n := len(channel); n > 0; n-- {
			if o, ok := channels[channel[:n]]; ok {
				return o
			}
		}
	}
	return channels[""]
}

// maxChannelBytes bounds a name: more than a path of names of people.
const maxChannelBytes = 255

// ValidChannel reports whether name may name a channel: 1 to 255 bytes of
// printable UTF-8 without spaces, commas and "*", which mean something in
// requests.
func ValidChannel(name string) bool {
	if name == "" || len(name) > maxChannelBytes || !utf8.ValidString(name) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == ',' || r == '*' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
	})
}

// prefixOf returns what is before the "*" at the end of a pattern, and whether it
// is one: a channel's name, or nothing, and then "*".
func prefixOf(pattern string) (prefix string, ok bool) {
	prefix, ok = strings.CutSuffix(pattern, "*")
	return prefix, ok && (prefix == "" || ValidChannel(prefix))
}
