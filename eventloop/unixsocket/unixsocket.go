// Package unixsocket takes care of the files of Unix sockets that servers listen
// on: one that a process left which was killed is in the way of the next, and one
// that a newer server has made is not the older one's to remove.
//
// The functions are safe for concurrent use.
package unixsocket

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// HasFile reports whether listening on that network and address makes a file: not
// in the abstract namespace of Linux.
func HasFile(network, address string) bool {
	return network == "unix" && address != "" && address[0] != '@'
}

// Listen listens on path, and notes the file that this has made; the listener does not
// remove it. Of servers that start at once, one gets the path: between bind and
// listen a socket looks like one that nobody listens on, and so the folder is locked
// meanwhile. Listen waits for the lock, a few seconds at most.
func Listen(path string) (*net.UnixListener, File, error) {
	unlock, err := lock(path)
	if err != nil {
		return nil, File{}, refused(path, err)
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return nil, File{}, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, File{}, err
	}
	l.SetUnlinkOnClose(false) // it would remove whatever is there
	return l, made(path), nil
}

// removeStale removes the socket file that a process left which is gone. It
// touches nothing else: a file, a directory, or a socket that somebody listens
// on stays, and is an error.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return refused(path, errors.New("file exists and is not a socket"))
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return refused(path, syscall.EADDRINUSE)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func refused(path string, why error) error {
	return &net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: why}
}

// File is the file of a socket that this process listens on. The zero value is
// none.
//
// Safe for concurrent use: immutable.
type File struct {
	path string
	made os.FileInfo
}

// made notes the file that listening on path has just made.
func made(path string) File {
	info, _ := os.Lstat(path)
	return File{path: path, made: info}
}

// Remove removes the file, unless somebody else has put another in its place. It
// is for the time before the socket is closed: until then nothing else can be
// the same file.
func (f File) Remove() {
	if f.made == nil {
		return
	}
	if now, err := os.Lstat(f.path); err == nil && os.SameFile(now, f.made) {
		_ = os.Remove(f.path)
	}
}
