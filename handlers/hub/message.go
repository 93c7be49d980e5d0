package hub

import (
	"container/list"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Position is a place in a channel: behind the message with this offset. The
// offsets of an epoch count 1, 2, 3 and so on; another epoch is another count, of
// a channel that was forgotten and began anew. The zero Position is before
// everything.
type Position struct {
	Epoch  string
	Offset uint64
}

// Publication is what is to be published.
type Publication struct {
	Channel string

	// Data is the payload, any bytes; readers get it as JSON, text or bytes: see
	// [JSON]. It must not be changed any more: it is
	// kept and shared, not copied.
	Data []byte

	// Key makes a repetition harmless: of several publications of one channel with
	// one Key and KeyScope, as long as the first is in the history, it counts, and
	// the others get its Receipt. "" is no key; it has at most 255 bytes.
	Key string

	// KeyScope says whose Key it is, so that nobody's message is taken for the
	// repetition of somebody else's. Clients have theirs, of the user or else of the
	// address, over all their connections and transports: Client.Publish and
	// Hub.PublishAs put it in. "" is the server's.
	KeyScope string

	// TTL bounds the life in the history, if it is less than the channel's: later,
	// nobody gets the message any more. Zero is no bound of its own.
	TTL time.Duration

	// Tags are what subscriptions may filter by; not changed any more. They have
	// at most 1024 bytes in all.
	Tags map[string]string

	// Publisher says who publishes: the user of a client, "" for the server.
	Publisher string
}

// What a publication may have beside its payload.
const (
	maxKeyBytes = 255
	maxTagBytes = 1024
)

// isText reports whether all that is text is.
func (p *Publication) isText() bool {
	for name, value := range p.Tags {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return false
		}
	}
	return utf8.ValidString(p.Key) && utf8.ValidString(p.Publisher)
}

func (p *Publication) tagBytes() (n int) {
	for name, value := range p.Tags {
		n += len(name) + len(value)
	}
	return n
}

// Receipt says where a publication has its place.
type Receipt struct {
	Position
	Duplicate bool // it was there before: see Publication.Key
}

// Result is a Receipt, or why there is none.
type Result struct {
	Receipt
	Err error
}

// Message is a publication with its place. It is shared by everybody who gets
// it.
//
// Safe for concurrent use: its exported fields are immutable.
type Message struct {
	Publication
	Position
	Time time.Time // of the publication

	budget  *Budget                  // nil: what it is encoded to is not kept
	encoded atomic.Pointer[encoding] // written under the lock of the encodings
	waits   atomic.Int32             // for as many locals of the budget's hub

	// Guarded by the lock of the encodings.
	place       *list.Element // in their order; nil if nothing is kept
	encodedCost int64
	kept        bool // by a history
}

// expired reports whether the message's own life is over. It keeps its place.
func (m *Message) expired(now time.Time) bool {
	return m.TTL > 0 && now.Sub(m.Time) >= m.TTL
}

// size is what m counts for in bounds of bytes: the payload, the key and the tags,
// and about as much as everything around them.
func (m *Message) size() int {
	return len(m.Data) + len(m.Key) + len(m.KeyScope) + m.tagBytes() + messageOverhead
}

const messageOverhead = 200

// Gap says that messages of a channel are lost to a subscription. That to a pattern
// has no places: its gap says only that there may have been more.
type Gap struct {
	From    Position // the last place the subscription has seen
	To      Position // where it goes on
	Missing int64    // how many, of which a filter may have let none pass; -1 if nobody knows
}

// Member is a client that is present in a channel.
type Member struct {
	Client string // its id
	User   string // "" for nobody in particular
	Info   []byte // JSON, as the identity has it; nil for none
}

// PresenceChange says that a member has come or gone.
type PresenceChange struct {
	Member Member
	Left   bool // it has gone, else come
}
