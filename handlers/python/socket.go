package python

import (
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ourEnd makes a file of a socket, which the runtime's poller watches.
func ourEnd(fd int, name string) *os.File {
	_ = unix.SetNonblock(fd, true) // of a socket there is no error
	return os.NewFile(uintptr(fd), name)
}

// unixConn makes a conn of a socket, which can pass descriptors. It takes f over.
func unixConn(f *os.File) (*net.UnixConn, error) {
	conn, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		_ = conn.Close()
		return nil, errors.New("the socket is no Unix socket")
	}
	return unixConn, nil
}

// sendWith writes p, of which the first byte carries the descriptor of f.
func sendWith(conn *net.UnixConn, p []byte, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	n := 0
	ctlErr := raw.Control(func(fd uintptr) {
		n, _, err = conn.WriteMsgUnix(p, unix.UnixRights(int(fd)), nil)
	})
	switch {
	case ctlErr != nil:
		return ctlErr
	case err != nil:
		return err
	case n == 0:
		return io.ErrShortWrite
	}
	_, err = conn.Write(p[n:])
	return err
}

// duplicate returns another descriptor of the same socket.
func duplicate(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	ctlErr := raw.Control(func(from uintptr) { fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 3) })
	if err = errors.Join(ctlErr, err); err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// shutDown ends a socket for everybody who has it.
func shutDown(f *os.File) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}
