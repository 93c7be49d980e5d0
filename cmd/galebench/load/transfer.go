package load

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Transfer says what is transferred, over which protocol and in which direction.
type Transfer string

// The transfers. A short request or message in one direction is answered with a long
// one in the other, or a long one with a short one that says its length; an echo is
// long in both.
const (
	HTTPDown      Transfer = "http-down"
	HTTPUp        Transfer = "http-up"
	WebSocketEcho Transfer = "ws-echo"
	WebSocketDown Transfer = "ws-down"
	WebSocketUp   Transfer = "ws-up"
	HTTPFile      Transfer = "http-file" // http-down of a file
)

// The paths of transfers. Whatever else is asked for is answered with little, or
// echoed.
const (
	DownPath = "/down"
	UpPath   = "/up"
	EchoPath = "/echo"
	FilePath = "/file.bin" // whose content is Payload
)

// TransferConfig says what to transfer.
type TransferConfig struct {
	// Server is where to connect to, an IPv4 address of the loopback. Required.
	Server netip.AddrPort

	// Transfer is what is transferred. Required.
	Transfer Transfer

	// Size is that of the payload in bytes. Required. It is [Payload].
	Size int

	// Conns is the number of connections, with one transfer at a time on each.
	// Default: 1.
	Conns int
}

// Transfers are conns on each of which one transfer follows the other. It costs as
// little as it can: what is sent is made once, for all conns, and what is received is
// dropped by the kernel, uncopied, but for the first transfer on each conn, of which
// every byte is compared.
//
// Not safe for concurrent use, except Count and Stop.
type Transfers struct {
	cfg     TransferConfig
	message []byte // what is sent; of an upload, the payload is its end
	want    []byte
	conns   []*transferConn
	buf     []byte
	epoll   int // -1 before Run
	stopped atomic.Bool

	bytes, done atomic.Int64 // an echoed byte is two
}

type transferConn struct {
	*conn
	in inbound
}

// Payload returns size bytes as they are transferred.
func Payload(size int) []byte { return payload(size) }

// OpenTransfers opens the conns, one after the other, and has a first transfer on
// each. What is opened when it fails is closed again.
func OpenTransfers(cfg TransferConfig) (*Transfers, error) {
	cfg.Conns = max(cfg.Conns, 1)
	t := &Transfers{cfg: cfg, buf: make([]byte, 1<<20), epoll: -1}
	if err := t.compose(); err != nil {
		return nil, err
	}
	for i := range cfg.Conns {
		if err := t.open(); err != nil {
			t.Close()
			return nil, fmt.Errorf("conn %d of %d: %w", i+1, cfg.Conns, err)
		}
	}
	return t, nil
}

// compose makes what is sent, and what must be received.
func (t *Transfers) compose() error {
	long := Payload(t.cfg.Size)
	length := []byte(strconv.Itoa(t.cfg.Size))
	switch t.cfg.Transfer {
	case HTTPDown:
		t.message, t.want = []byte("GET "+DownPath+" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), long
	case HTTPFile:
		t.message, t.want = fileRequest(FilePath, ""), long
	case HTTPUp:
		head := "POST " + UpPath + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: "
		t.message, t.want = append([]byte(head+string(length)+"\r\n\r\n"), long...), length
	case WebSocketEcho:
		t.message, t.want = appendFrame(nil, frameKey, long), long
	case WebSocketDown:
		t.message, t.want = appendFrame(nil, frameKey, length), long
	case WebSocketUp:
		t.message, t.want = appendFrame(nil, frameKey, long), length
	default:
		return fmt.Errorf("load: there is no transfer %q", t.cfg.Transfer)
	}
	return nil
}

// path is that of the handshake; "" for HTTP.
func (t Transfer) path() string {
	return map[Transfer]string{WebSocketEcho: EchoPath, WebSocketDown: DownPath, WebSocketUp: UpPath}[t]
}

// up and down report whether what the client or the server sends is long, and counts.
func (t Transfer) up() bool { return t == HTTPUp || t == WebSocketUp || t == WebSocketEcho }
func (t Transfer) down() bool {
	return t == HTTPDown || t == HTTPFile || t == WebSocketDown || t == WebSocketEcho
}

func (t *Transfers) open() error {
	raw, err := dial(t.cfg.Server, 0)
	if err != nil {
		return err
	}
	c := &transferConn{conn: raw, in: inbound{parse: responseHead, want: t.want}}
	t.conns = append(t.conns, c)
	if path := t.cfg.Transfer.path(); path != "" {
		c.in.parse = frameHead
		if err := c.shakeHands("GET " + path + handshakeFields + "\r\n"); err != nil {
			return err
		}
	}
	if err := c.send(t.message); err != nil {
		return err
	}
	for c.in.messages == 0 {
		n, err := c.readSome(t.buf)
		if err != nil {
			return err
		}
		if err := c.in.read(t.buf[:n]); err != nil {
			return err
		}
	}
	c.in.trusting = true
	return nil
}

// Close resets all conns.
func (t *Transfers) Close() {
	for _, c := range t.conns {
		c.close()
	}
	t.conns = nil
	if t.epoll >= 0 {
		_ = unix.Close(t.epoll)
		t.epoll = -1
	}
}

// Count is what was transferred so far: bytes of payload, also of transfers that are
// under way, and whole transfers. A byte that is sent and echoed counts once, half of
// it each way: a server may take all of a message before it echoes any.
func (t *Transfers) Count() (bytes, transfers int64) {
	bytes = t.bytes.Load()
	if t.cfg.Transfer == WebSocketEcho {
		bytes /= 2
	}
	return bytes, t.done.Load()
}

// Stop ends Run, within a moment.
func (t *Transfers) Stop() { t.stopped.Store(true) }

// Run keeps all conns busy until Stop. That nothing is transferred for [Patience] is
// an error.
func (t *Transfers) Run() error {
	if err := t.start(); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, eventsPerWait)
	moved, since := int64(0), time.Now()
	for !t.stopped.Load() {
		n, err := unix.EpollWait(t.epoll, events, 100)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, ev := range events[:max(n, 0)] {
			if err := t.event(t.conns[ev.Fd], ev.Events); err != nil {
				return err
			}
		}
		if bytes := t.bytes.Load(); bytes != moved {
			moved, since = bytes, time.Now()
		} else if time.Since(since) > Patience {
			return fmt.Errorf("load: nothing was transferred in %v", Patience)
		}
	}
	return nil
}

// start hands the conns to epoll, and begins a transfer on each.
func (t *Transfers) start() (err error) {
	if t.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		t.epoll = -1
		return os.NewSyscallError("epoll_create1", err)
	}
	for i, c := range t.conns {
		if err := c.watch(t.epoll, i); err != nil {
			return err
		}
		c.unsent = t.message
		if err := t.flush(c); err != nil {
			return err
		}
	}
	return nil
}

// flush writes what the kernel takes.
func (t *Transfers) flush(c *transferConn) error {
	before := min(len(c.unsent), t.cfg.Size)
	err := c.conn.flush()
	if t.cfg.Transfer.up() {
		t.bytes.Add(int64(before - min(len(c.unsent), t.cfg.Size)))
	}
	return err
}

// event follows events of a conn: it receives until less comes than was asked for.
// Once the server has ended its stream, only the end of the stream says that this was
// all.
func (t *Transfers) event(c *transferConn, events uint32) error {
	if err := t.flush(c); err != nil {
		return err
	}
	for {
		n, asked, err := c.receiveSome(t.buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errHungUp, err)
		case n == 0:
			return errHungUp
		}
		if err := t.received(c, n); err != nil {
			return err
		}
		if n < asked && events&unix.EPOLLRDHUP == 0 {
			return nil
		}
	}
}

// headBytes is how much is read where a head is expected: little more than one.
const headBytes = 512

// receiveSome reads into buf, or drops what need not be seen, and says how much it
// asked for.
func (c *transferConn) receiveSome(buf []byte) (n, asked int, err error) {
	if unseen := c.in.unseen(); unseen > 0 {
		asked = min(unseen, len(buf))
		n, err = drop(c.fd, buf[:asked])
		return n, asked, err
	}
	n, err = unix.Read(c.fd, buf[:headBytes])
	return n, headBytes, err
}

// drop takes up to len(p) bytes off a socket, which are not copied to p (MSG_TRUNC,
// tcp(7)).
func drop(fd int, p []byte) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_TRUNC, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// received takes what receiveSome has received, and begins the next transfer after
// the end of one.
func (t *Transfers) received(c *transferConn, n int) (err error) {
	before, ended := c.in.progress(), c.in.messages
	if c.in.unseen() > 0 {
		err = c.in.skip(n)
	} else {
		err = c.in.read(t.buf[:n])
	}
	if err != nil {
		return err
	}
	if t.cfg.Transfer.down() {
		t.bytes.Add(c.in.progress() - before)
	}
	switch c.in.messages - ended {
	case 0:
		return nil
	case 1:
		t.done.Add(1)
	default:
		return errTooMany
	}
	if len(c.unsent) > 0 {
		return errTooMany
	}
	c.unsent = t.message
	return t.flush(c)
}
