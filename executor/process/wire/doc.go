// Package wire is the protocol between a pool and one of its worker processes
// as a sans-I/O machine: bytes in, events out, bytes to write out. It opens no
// file, reads no clock, starts no goroutine and holds no lock. PROTOCOL.md, in
// the directory above, describes the protocol for those who write a worker.
//
// A [Machine] is one side of one worker's stdin and stdout. The caller gives it
// what it read and acts on the event it gets back:
//
//	for len(p) > 0 {
//		event, err := m.Next(p)
//		if err != nil {
//			return fail(err) // *PeerError or *VersionError: the worker cannot be used any more
//		}
//		p = p[event.N:]
//		switch event.Type {
//		case wire.Result:
//			...
//		}
//	}
//
// What this side says is appended to a buffer of the caller's: [Machine.AppendJob]
// and the other Append methods.
//
// # Laws
//
//   - Split invariance: how the stream is cut into calls of Next changes
//     neither the events nor the error.
//   - Error atomicity: an Append method that returns an error has changed
//     neither dst nor the machine. An error of Next is final: every later Next
//     returns it again.
//   - Drain: Next returns one event at a time and says how many bytes it took;
//     the caller goes on until all bytes are taken.
//   - Bound: a machine buffers at most one frame, whose body is bounded by its
//     type and by what both sides agreed on, and never more than twice what has
//     arrived (or 1 KiB).
//
// # Concurrency
//
// A Machine belongs to one goroutine at a time.
//
// # Terminology
//
// The host is the side that hands out jobs, the worker the side that runs them.
// A frame is the wire unit: a header of 12 bytes and a body. A payload is what
// goes into a job or comes out of it; it stands in the frame's body (inline) or
// in memory that both sides share, where the body only says how long it is.
package wire
