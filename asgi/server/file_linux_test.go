package server

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/asgi"
)

// BenchmarkSendFile has a client fetch a file again and again, which throws it away
// in the kernel. CPU is that of both ends.
func BenchmarkSendFile(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10, 10 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "file")
			must(b, os.WriteFile(path, make([]byte, size), 0o600))
			r := run(b, Config{Handler: asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
				return sendsPath(b, path).Open(s, x)
			})})
			fd := dialBare(b, r.addr)
			defer unix.Close(fd)
			b.SetBytes(int64(size))
			before := cpu(b)
			for b.Loop() {
				fetch(b, fd, size)
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
			unix.Close(fd)
			must(b, r.end())
		})
	}
}

var throwAway [1 << 20]byte

// fetch requests a file and takes the response.
func fetch(b *testing.B, fd, size int) {
	_, err := unix.Write(fd, []byte(get))
	must(b, err)
	var head [512]byte
	n, err := unix.Read(fd, head[:])
	must(b, err)
	end := bytes.Index(head[:n], []byte("\r\n\r\n"))
	for left := size - (n - end - 4); left > 0; left -= n {
		n, _, err = unix.Recvfrom(fd, throwAway[:min(left, len(throwAway))], unix.MSG_TRUNC)
		must(b, err)
	}
}

// cpu is the processor time of this process.
func cpu(b *testing.B) time.Duration {
	var u unix.Rusage
	must(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// dialBare opens a connection and returns its descriptor.
func dialBare(b *testing.B, addr string) int {
	b.Helper()
	to := netip.MustParseAddrPort(addr)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(b, err)
	must(b, unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
	return fd
}
