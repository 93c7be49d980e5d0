package hub

// Broker keeps what is published and who is present, and tells a hub what is
// new. [Memory] is that of a single process; one that joins several processes
// has the same shape. Package hubtest has the tests that each must pass.
//
// No method blocks, and done is called exactly once: before the method returns,
// or later, on any goroutine. No method is called with a lock held that a call of
// Events needs.
//
// Safe for concurrent use.
type Broker interface {
	// Start is called once, first. What the broker keeps in this process counts in
	// the budget, which makes its messages; see Budget.Message. A channel whose
	// history makes room for others has a gap.
	Start(Events, *Budget) error

	// Publish puts each publication behind the others of its channel, or, if the
	// history has one with its Key, returns that one's place. The first offset of
	// an epoch is 1. A channel that begins anew does so in an epoch that no other
	// life of it had. done gets a result for each. batch is not kept.
	Publish(batch []Publication, done func([]Result))

	// Read returns what was published behind a place; see History. All that was told
	// before Read was called is in it. Its slice is the caller's.
	Read(channel string, after Position, limit Limit, done func(History, error))

	// Watch has the hub told of a channel. A name that ends with "*" stands for
	// all channels that begin with what is before it. What is published after
	// done was called is told. Unwatch ends it; what is told nevertheless does no
	// harm. The hub watches a channel once, however many of its clients do, and
	// does not watch it again before Unwatch has returned.
	Watch(channel string, done func(error))
	Unwatch(channel string)

	// Enter and Leave change who is present in a channel, and have what they change
	// told. Who is present already does not come, and who is not does not leave.
	// Members returns at most limit of them, and how many there are; a negative
	// limit is none.
	Enter(channel string, m Member)
	Leave(channel string, m Member)
	Members(channel string, limit int, done func(members []Member, total int, err error))

	// Forget drops a channel's history and begins another epoch.
	Forget(channel string)

	// Channels returns how many channels are kept.
	Channels() int

	// Close ends the broker. What is under way is done with an error, and so is
	// what is published later. It may be called more than once.
	Close() error
}

// Events is what a hub wants to be told of what it watches. The calls for one
// channel come one after the other, messages in the order of their offsets. They
// return at once, call no method of the broker, and keep no slice.
type Events interface {
	Messages(channel string, batch []*Message)
	Presence(channel string, change PresenceChange)

	// Lost says that there may have been messages that Messages was not called
	// for: whoever wants them must read.
	Lost(channel string)
}

// Limit bounds what a Read returns.
type Limit struct {
	Messages int  // negative: no limit; zero: none, and History.Start is the Top
	Bytes    int  // of payloads, of which one always fits; zero or negative: no limit
	Newest   bool // the last messages before the top instead of the first behind the place
}

// History is a piece of a channel's history: messages without a hole between
// them, the oldest first.
type History struct {
	Messages []*Message

	// Top is the place behind the last message of the channel. The epoch of a
	// channel that has none is "".
	Top Position

	// Start is the place before the first of Messages, or Top if there are none.
	// It is the place that was asked for unless something between is lost.
	Start Position

	// Missing is how many messages between the place that was asked for and
	// Start are lost, or left out by Limit; -1 if the place is of another epoch, or
	// behind the top, and nobody knows. Before everything is the place before the
	// first offset of the epoch.
	Missing int64
}
