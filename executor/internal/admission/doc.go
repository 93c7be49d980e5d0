// Package admission decides which jobs of a class may wait, which runs next, and
// which have waited too long. It is a machine without I/O: no clock, no lock, no
// goroutine; the time is an argument.
//
// # Order
//
// Bands are strict: a job of a lower band starts only when no higher band has
// one. Inside a band, clients take turns by deficit round robin. A client that
// had nothing waiting is served before those that wait for a further turn, as
// new flows are in FQ-CoDel (RFC 8290, section 4.2), but never more than
// [maxFresh] times in a row. Inside a client the oldest job comes first, or the
// newest while the band's queue stands.
//
// # Standing queues
//
// A queue that drains from time to time is a buffer and does good. One whose
// oldest job always waits longer than a target, during a whole interval, only
// adds delay: it stands, provided that it is longer than what the workers take in
// one go. While it does, jobs that have waited for more than twice
// the target are dropped and the newest run first, so that those which do run are
// those whose clients still wait (CoDel, RFC 8289, as folly's executors use it).
// Jobs that said how long they are ready to wait are patient, and stay out of
// this.
//
// # Laws
//
//   - bound: jobs and bytes never exceed the configured limits.
//   - error atomicity: an item that is refused has changed nothing.
//   - every accepted item leaves exactly once: taken, dropped or removed.
package admission
