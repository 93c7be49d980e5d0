// Package load is a client of many connections on one epoll instance: it costs
// less per message than the servers it drives, so that they are what is
// measured.
//
// A [Generator] opens its conns one after the other, with one exchange on each,
// and then keeps every conn busy: it sends a batch of messages in one write,
// waits for all their replies, and sends the next batch. Every byte of every
// reply is compared with what it has to be.
//
// # Concurrency
//
// Nothing here is safe for concurrent use: a Generator and its conns belong to
// the goroutine that calls it. It starts none.
//
// # Limits
//
// Every wait ends after [Patience]. The number of conns is bounded by the open
// files a process may have; when the ports of one source address run out, the
// next address of 127.0.0.0/8 is used.
package load
