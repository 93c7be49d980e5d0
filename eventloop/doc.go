// Package eventloop is a reactor: a few event loops that own many sockets,
// deliver what arrives to a [Protocol], and send what it writes to its [Conn].
// It knows bytes and no protocol. It stands on the public poller of gnet
// (github.com/panjf2000/gnet/v2/pkg/netpoll), epoll on Linux and kqueue
// elsewhere; accepting, reading, writing, timers and closing are its own.
//
//	group, err := eventloop.New(eventloop.Config{Open: func(c eventloop.Conn) eventloop.Protocol { ... }})
//	addr, err := group.Listen("tcp", "127.0.0.1:0")
//	group.Start()
//	...
//	err = group.Shutdown(ctx)
//
// # One iteration
//
// A loop goes round like this. Each of steps 3, 4 and 5 is one turn per report:
// what the clock says as it begins is [Conn.Now] until the turn ends.
//
//  1. Ask the poller which descriptors have news: without waiting if the last
//     round brought any, else until one has.
//  2. Take the reports one by one, as far as that takes 0.1 ms. The conns of the
//     rest go to the ready list, but for those that are new, and those whose peer
//     has ended its stream: they go to the door, since they come by the thousand.
//  3. A conn: flush if it is writable again, and make the Drained call this
//     leads to. Read and call Data until a read comes back short, or the conn
//     has read its share (Config.ReadBytesPerTurn) and goes to the ready list.
//     Call Turn if it asked for it. Flush its outbox with one write, of its share
//     at most (Config.WriteBytesPerTurn, or QuietBytesPerTurn): with more it goes
//     to the ready list.
//  4. The waker: run posted functions (at most 512, or those of 0.1 ms, or until
//     64 conns have output). Serve the head of the ready list, then those at the
//     door, of whom some are still to be opened (at most 64 conns, or 0.1 ms, of
//     each). Call Turn for every conn that asked for it, as far as that takes 0.1 ms.
//     Flush every conn that was written to, once each.
//  5. The alarm: call what is due in the timing wheel (bounded like posted
//     functions). Turns and flushes as in step 4.
//  6. After each turn: close the conns that have ended and call Closed (one in
//     step 3, in the others those of 0.1 ms). Trigger the waker if a conn other than
//     the one of step 3 was written to, or if anything is left to do. Set the alarm
//     if the next timer is sooner.
//
// So a conn that answers what it reads costs one read and one write. Publishing
// to many conns costs each of them one write, however often it was published to
// in between.
//
// # Readiness
//
// A conn is registered once, edge-triggered for both directions. Pausing is not
// reading; an edge that comes meanwhile is remembered. That the kernel takes
// bytes again is the other edge. The end of the peer's stream is an edge of its
// own: the kernel knows of it although bytes before it are unread, and a protocol
// that has paused is told by [Protocol.PeerEnded]. (The kernel does not know of one
// behind more bytes than its receive buffer takes; a reset, or its probes of a
// silent peer, tell then.) Reports may be stale, since a descriptor is
// reused as soon as it was closed: one for a wrong conn costs a read attempt.
//
// # Large transfers
//
// An outbox is a buffer for small writes, behind a queue of pieces. A large write is
// offered to the kernel at once, and what is left of it becomes a piece: one that
// refers to the writer's memory if that stays as it is ([Conn.WriteImmutable],
// [Conn.WriteLent], [Conn.WriteBuffer]), else copies in pieces of 128 KiB. A protocol
// that knows where its next bytes belong has them read there ([Conn.ReadInto]).
// Memory comes in size classes from the loop and goes back to it.
//
// # Limits
//
// Everything that waits has a bound in [Config] with a default: conns, outbox,
// bytes per turn, posted functions, how long a peer may take. The exception is
// what a protocol writes above its high watermark in spite of Drained: it is
// cut off at Config.OutboxBytes.
//
// # Concurrency
//
// All state of a conn is owned by the goroutine of its loop. There is one door
// for everybody else, Post. Tests can have this checked ([AssertOwnership]).
//
// # Terminology
//
// A turn is one step of a loop as above. The outbox holds the bytes of a conn
// that wait for the kernel; above its high watermark the sender should stop
// until it has fallen to the low one. To close is to finish in good order, to
// abort is to drop. To linger is to read and throw away input after our end of
// stream, so that no reset destroys what the peer has not read yet.
//
// # Testing
//
// Package looptest runs conns on a scripted kernel and clock. Since only the
// system calls are replaced, a protocol that passes there meets the same
// behaviour on real sockets.
package eventloop
