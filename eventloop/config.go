package eventloop

import (
	"errors"
	"log/slog"
	"math"
	"runtime"
	"time"

	"github.com/gale-server/gale/eventloop/descriptors"
	"github.com/gale-server/gale/eventloop/procs"
)

// Config tunes a [Group]. The zero value is ready but for Open. In every
// field zero means the default; what a negative value means is said there.
//
// Not safe for concurrent use; [New] takes a copy.
type Config struct {
	// Open makes the protocol of a new conn, on the conn's loop. It may use the
	// conn at once. A nil Protocol aborts the conn. It is required, unless every
	// [ListenConfig] has its own.
	Open func(Conn) Protocol

	// Loops is the number of event loops. Default: GOMAXPROCS, but not more
	// than the number of processors, since GOMAXPROCS may have been raised for
	// workers that run at low priority. A negative value is an error.
	//
	// A group raises GOMAXPROCS by the number of its loops and one, for the thread
	// that accepts, until Shutdown: threads that wait in the kernel hold on to
	// their share of it.
	Loops int

	// MaxConns is the number of conns at the same time; a further one is
	// answered with Refusal. Default: the limit of open files, less what is open
	// when the group starts, less a sixteenth (at least 16, at most 1024) for what
	// is opened later, such as files, pipes and refusals; at most 1,048,576. If
	// descriptors run out all the same, what is open is counted again, and then
	// once a second, when there are that many conns, until there is as much room as
	// at the start. With no room for a conn there is no listener. Negative: no cap,
	// so that accepting pauses when descriptors run out.
	MaxConns int

	// Refusal is written to a conn above MaxConns before it is closed in good
	// order. Default: nothing, the conn is just closed.
	Refusal []byte

	// OutboxBytes bounds what may wait in a conn's outbox before another
	// write; see [Conn.Write]. Default: 1 MiB, which at 100,000 stalled peers is
	// what a large machine can hold. Negative: no bound.
	OutboxBytes int

	// HighWatermark and LowWatermark, in bytes waiting, define when
	// [Protocol.Drained] is due. Default: a quarter of OutboxBytes (256 KiB) and a
	// quarter of HighWatermark, far enough apart to refill in large pieces. A
	// negative value is an error.
	HighWatermark int
	LowWatermark  int

	// ReadBytesPerTurn bounds what one conn may read before others have had
	// their turn; up to 64 KiB more may be read. Default: 256 KiB, about 100 us.
	// Negative: no bound.
	ReadBytesPerTurn int

	// WriteBytesPerTurn bounds what one conn may write before others have had
	// their turn; the rest waits in its outbox. Only a conn with a full outbox, whose
	// peer takes all there is, may write more. Default: 128 KiB, about 100 us.
	// Negative: no bound.
	WriteBytesPerTurn int

	// QuietBytesPerTurn takes the place of WriteBytesPerTurn while a loop has
	// nothing but large transfers to see to: for 2 ms no conn has had a turn in
	// which it wrote something, and less than 16 KiB. A system call costs
	// less for each byte then, and so does the kernel's pacing. Default: 2 MiB,
	// about 500 us, or WriteBytesPerTurn if that is set. Negative: no bound.
	QuietBytesPerTurn int

	// WriteTimeout ends a conn whose peer took nothing for that long while
	// bytes waited. Default: 30 s, which outlasts a dead spot of a mobile network.
	// Negative: no limit.
	WriteTimeout time.Duration

	// CloseTimeout bounds the flush of the outbox after Close. Default: 60 s,
	// time for a full outbox over a slow line. Negative: no limit but
	// WriteTimeout.
	CloseTimeout time.Duration

	// LingerTimeout and LingerBytes bound how long, and how much input, is
	// thrown away after a close while we wait for the peer to close too.
	// Default: 5 s and 1 MiB, a round trip over a bad line with a request under
	// way. Negative: a negative time does not wait at all, negative bytes are
	// bounded by time alone.
	LingerTimeout time.Duration
	LingerBytes   int

	// MailboxTasks bounds how many posted functions may wait per loop; a
	// further Post is refused. Default: 1,048,576 (16 MiB of queue): posters are
	// expected to have their own, smaller bounds. Negative: no bound.
	MailboxTasks int

	// BlockedAfter is how long one turn may hold a loop before the watchdog
	// logs it with the stack. Default: 100 ms, what a person notices. Negative:
	// no watchdog.
	BlockedAfter time.Duration

	// Logger receives what no caller can be told: panics, blocked loops,
	// failing accepts. It is called on loops, and must not wait for its writer.
	// Default: slog.Default().
	Logger *slog.Logger
}

// withDefaults returns c with every default put in and every "no limit"
// written as a limit that is never reached.
func (c Config) withDefaults() (Config, error) {
	if c.Loops < 0 || c.HighWatermark < 0 || c.LowWatermark < 0 {
		return c, errors.New("eventloop: Config: Loops, HighWatermark and LowWatermark may not be negative")
	}
	c.Loops = orDefault(c.Loops, min(procs.Base(), runtime.NumCPU()), 0)
	if c.MaxConns == 0 {
		c.MaxConns = max(1, descriptors.Room(0))
	}
	c.MaxConns = orDefault(c.MaxConns, 0, boundless)
	c.OutboxBytes = orDefault(c.OutboxBytes, 1<<20, boundless)
	c.HighWatermark = orDefault(c.HighWatermark, min(c.OutboxBytes, 1<<20)/4, 0)
	c.LowWatermark = orDefault(c.LowWatermark, c.HighWatermark/4, 0)
	if c.LowWatermark > c.HighWatermark || c.HighWatermark > c.OutboxBytes {
		return c, errors.New("eventloop: Config: LowWatermark, HighWatermark and OutboxBytes must rise in this order")
	}
	c.ReadBytesPerTurn = orDefault(c.ReadBytesPerTurn, 256<<10, boundless)
	quiet := 2 << 20
	if c.WriteBytesPerTurn != 0 {
		quiet = orDefault(c.WriteBytesPerTurn, 0, boundless)
	}
	c.QuietBytesPerTurn = orDefault(c.QuietBytesPerTurn, quiet, boundless)
	c.WriteBytesPerTurn = orDefault(c.WriteBytesPerTurn, 128<<10, boundless)
	c.WriteTimeout = orDefault(c.WriteTimeout, 30*time.Second, endless)
	c.CloseTimeout = orDefault(c.CloseTimeout, 60*time.Second, endless)
	c.LingerTimeout = orDefault(c.LingerTimeout, 5*time.Second, 0)
	c.LingerBytes = orDefault(c.LingerBytes, 1<<20, boundless)
	c.MailboxTasks = orDefault(c.MailboxTasks, 1<<20, boundless)
	c.BlockedAfter = orDefault(c.BlockedAfter, 100*time.Millisecond, 0)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

// Limits that are never reached; adding one to a reading of the clock does not
// overflow.
const (
	boundless = math.MaxInt32
	endless   = time.Duration(math.MaxInt64 / 4)
)

// orDefault is def for zero and none for a negative v.
func orDefault[T int | time.Duration](v, def, none T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return none
	}
	return v
}
