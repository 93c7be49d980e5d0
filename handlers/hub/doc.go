// Package hub is publish and subscribe with a history: what a client misses
// while it is away it gets when it comes back, once and in order, or it is told
// that there is a gap.
//
//	h, err := hub.New(hub.Config{})
//	receipt, err := h.PublishOne(hub.Publication{Channel: "news", Data: []byte(`"hello"`)})
//
// Clients come over the transports: handlers/hub/socket (WebSocket),
// handlers/sse, handlers/longpoll. Each is an [Outlet] for the hub and speaks for
// its client with a [Client].
//
// # How nothing is lost
//
// A channel is a log. Each message has a place in it, an offset in an epoch. A
// [Subscription] is a place in the log and nothing else. What is published is
// handed out to the subscribers, once for each loop; a subscriber takes what
// follows its place, leaves what comes before, and reads from the history what is
// between, if it was away, its connection took nothing for a while, or its loop
// was busy. There is no moment between replay and live: a subscriber is handed out
// messages from before it reads for the first time.
//
// What the history does not hold any more, also because channels that are in use took
// its room, is a [Gap], and told. So is another
// epoch: the channel was forgotten, or the process restarted.
//
// A subscription to a pattern ("news:*") has no place: it gets what comes, and is
// told a gap where it may have missed something.
//
// # Slow subscribers
//
// Nothing waits for a subscriber but what its connection's outbox holds; the
// history is the queue of all. A subscriber that is further behind than the channel
// allows is treated as [SlowPolicy] says, and counted in [Stats]. It keeps nobody
// waiting.
//
// # What this package is not
//
// It keeps nothing on disk, and a [Memory] is in one process: a [Broker] that
// joins several plugs in below.
//
// # Concurrency
//
// A [Hub] is for everybody; a [Client] and its subscriptions belong to the loop of
// its connection. Publishing takes the lock of a part of the channels for as long
// as it takes to append the message and to tell each loop once.
//
// # Limits
//
// Every limit is a field of [Config] or, for a channel, of [Options]. One of them,
// Config.MaxBytes, bounds the memory of all that the hub keeps; see [Budget]. What
// transports encode of a message is kept for as long as others are likely to get it,
// and no longer than there is room.
//
// # Terminology
//
// A channel is a named log. A place is a [Position] in it. A client subscribes,
// and is present as a member if it wants to be. Recovery is reading what came
// behind a place; a gap is what could not be read.
package hub
