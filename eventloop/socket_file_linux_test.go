package eventloop

import (
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fileOf makes a file of n bytes that differ from place to place, in dir.
func fileOf(t testing.TB, dir string, n int) (file *os.File, sum [sha256.Size]byte) {
	t.Helper()
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i >> (i % 24))
	}
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, p, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file, sha256.Sum256(p)
}

// sender is a Protocol that sends n bytes of a file to whoever says something.
func sender(c Conn, file *os.File, n int, closed func(error)) Protocol {
	at := 0
	send := func() {
		for at < n && !c.Congested() && !c.Ended() {
			sent, err := c.SendFile(file, int64(at), n-at)
			if at += sent; err != nil {
				c.Abort()
			}
		}
		if at == n {
			c.Close()
		}
	}
	return &hooks{data: func([]byte) { c.Write([]byte("head")); send() }, drained: send, closed: closed}
}

// TestSendFileOnASocket sends more than every buffer in between holds.
func TestSendFileOnASocket(t *testing.T) {
	const size = 16<<20 + 1
	file, sum := fileOf(t, t.TempDir(), size)
	s := serve(t, Config{Open: func(c Conn) Protocol { return sender(c, file, size, nil) }})
	c := s.dial()
	write(t, c, "go")
	if got := readN(t, c, 4); got != "head" {
		t.Fatalf("got %q", got)
	}
	got := sha256.New()
	if n, err := io.Copy(got, c); n != size || err != nil || [sha256.Size]byte(got.Sum(nil)) != sum {
		t.Fatalf("%d bytes of %d came, or others: %v", n, size, err)
	}
}

// TestSendFileTimeoutOnASocket has a peer read nothing.
func TestSendFileTimeoutOnASocket(t *testing.T) {
	const size = 32 << 20
	file, _ := fileOf(t, t.TempDir(), size)
	closed := make(chan error, 1)
	s := serve(t, Config{WriteTimeout: 50 * time.Millisecond, Open: func(c Conn) Protocol {
		return sender(c, file, size, func(err error) { closed <- err })
	}})
	c := s.dial()
	write(t, c, "go")
	wantErr(t, receive(t, closed), ErrWriteTimeout)
	if _, err := io.Copy(io.Discard, c); err == nil {
		t.Error("the truncated file ended as if it were whole")
	}
}

// TestSendFileToAClosedSocket finds that the peer has gone.
func TestSendFileToAClosedSocket(t *testing.T) {
	const size = 32 << 20
	file, _ := fileOf(t, t.TempDir(), size)
	closed := make(chan error, 1)
	s := serve(t, Config{Open: func(c Conn) Protocol {
		return sender(c, file, size, func(err error) { closed <- err })
	}})
	c := s.dial()
	write(t, c, "go")
	readN(t, c, 1000)
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	wantErr(t, receive(t, closed), ErrReset)
}

// onLoop runs fn on a loop.
func onLoop(t testing.TB, l *Loop, fn func()) {
	t.Helper()
	done := make(chan struct{})
	l.Post(func() { defer close(done); fn() })
	receive(t, done)
}

// cacheOf says what a loop finds of a file in the system's memory.
func cacheOf(t testing.TB, l *Loop, file *os.File, size int) (cached bool, read int) {
	onLoop(t, l, func() {
		cached = l.Cached(file, 0, size)
		read = l.ReadCached(file, make([]byte, size), 0)
	})
	return cached, read
}

// TestCached finds a file that was just written, and not one that the system was
// told to drop, until it is fetched again.
func TestCached(t *testing.T) {
	const size = 16<<20 + 1
	dir := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type == unix.OVERLAYFS_SUPER_MAGIC || fs.Type == unix.TMPFS_MAGIC {
		t.Skipf("SKIPPED: %s is on a file system of type %x, which does not tell: %v", dir, fs.Type, err)
	}
	s := serve(t, Config{Loops: 1, Open: echo})
	file, _ := fileOf(t, dir, size)
	want := func(when string, cached bool) { // what is not there may come while it is read
		t.Helper()
		if c, r := cacheOf(t, s.Loop(0), file, size); c != cached || cached && r != size {
			t.Errorf("%s: cached: %v, %d bytes read", when, c, r)
		}
	}
	want("written", true)
	if err := unix.Fsync(int(file.Fd())); err != nil {
		t.Fatal(err)
	}
	drop := func() {
		t.Helper()
		if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			t.Fatal(err)
		}
	}
	drop()
	want("dropped", false)
	drop() // since a read that does not wait has the system fetch all the same
	if _, err := file.ReadAt(make([]byte, 1), size-1); err != nil {
		t.Fatal(err)
	}
	want("dropped but for its end", false)
	if _, err := file.ReadAt(make([]byte, size), 0); err != nil {
		t.Fatal(err)
	}
	want("read", true)
	drop()
	ReadAhead(file, 0, size)
	eventually(t, func() bool { cached, _ := cacheOf(t, s.Loop(0), file, size); return cached }, func() string { return "the file was not fetched" })
	want("fetched", true)
	onLoop(t, s.Loop(0), func() {
		if s.Loop(0).Cached(file, size-10, 20) && s.Loop(0).ReadCached(file, make([]byte, 20), size-10) != 10 {
			t.Error("more was read than there is")
		}
	})
}

// TestSampled looks at a byte here and there, where counting is not allowed.
func TestSampled(t *testing.T) {
	const size = 8 << 20
	file, _ := fileOf(t, t.TempDir(), size)
	if err := probe(int(file.Fd()), 0); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("SKIPPED: the file system has no reads that do not wait")
	}
	if !sampled(int(file.Fd()), 0, size-1) {
		t.Error("a file that was just written is not found")
	}
	if err := errors.Join(unix.Fsync(int(file.Fd())), unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{0, size - 1} { // which is read ahead of, but not that far
		if _, err := file.ReadAt(make([]byte, 1), at); err != nil {
			t.Fatal(err)
		}
	}
	if !sampled(int(file.Fd()), 0, 1) || sampled(int(file.Fd()), 0, size-1) {
		t.Error("the beginning is not found, or the hole after it")
	}
}

// TestSendFileAllocatesNothing asks for and sends what is at hand.
func TestSendFileAllocatesNothing(t *testing.T) {
	const size = 1 << 10
	file, _ := fileOf(t, t.TempDir(), size)
	s := serve(t, Config{Loops: 1, Open: func(c Conn) Protocol {
		place := make([]byte, size)
		return &hooks{data: func([]byte) {
			if c.Loop().Cached(file, 0, size) {
				c.Loop().ReadCached(file, place, 0)
			}
			_, _ = c.SendFile(file, 0, size)
		}}
	}})
	c := s.dial()
	p := make([]byte, size)
	turn := func() {
		if _, err := c.Write(p[:1]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, p); err != nil {
			t.Fatal(err)
		}
	}
	turn()
	if n := testing.AllocsPerRun(200, turn); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

// TestSendCopy sends where the system has no call for it.
func TestSendCopy(t *testing.T) {
	const size = 3*pieceBytes + 5
	file, sum := fileOf(t, t.TempDir(), size)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, peer := pair[0], os.NewFile(uintptr(pair[1]), "peer")
	defer peer.Close()
	got := make(chan [sha256.Size]byte)
	go func() { // ends with the stream
		h := sha256.New()
		_, _ = io.Copy(h, peer)
		got <- [sha256.Size]byte(h.Sum(nil))
	}()
	var k pollerKernel
	for at := 0; at < size; {
		n, err := k.sendCopy(ours, int(file.Fd()), int64(at), size)
		if at += n; err != nil && err != unix.EAGAIN || err == nil && n == 0 {
			t.Fatalf("after %d bytes: %v", at, err)
		}
	}
	if n, err := k.sendCopy(ours, int(file.Fd()), size, 1); n != 0 || err != nil {
		t.Errorf("at the end: %d bytes, %v", n, err)
	}
	_ = unix.Close(ours)
	if receive(t, got) != sum {
		t.Error("other bytes came")
	}
}
