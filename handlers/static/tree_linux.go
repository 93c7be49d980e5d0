package static

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// beneathTree is a folder whose names are resolved by openat2 with RESOLVE_BENEATH
// (Linux 5.6). The kernel holds a name to the folder by the rules of os.Root, in one
// call where that needs several for each element of a path.
//
// See https://man7.org/linux/man-pages/man2/openat2.2.html.
type beneathTree struct {
	rootTree
	dir syscall.RawConn // of the folder
	own *os.File
}

// beneath returns a faster tree of the same folder, or t where the kernel, or a filter
// of system calls, has no openat2.
func beneath(t rootTree) tree {
	own, err := t.root.Open(".")
	if err != nil {
		return t
	}
	dir, err := own.SyscallConn()
	b := beneathTree{t, dir, own}
	if err == nil {
		_, err = b.stat(".")
	}
	if err != nil {
		own.Close()
		return t
	}
	return b
}

func (t beneathTree) close() error { return errors.Join(t.own.Close(), t.rootTree.close()) }

// resolveTries is how often a name is resolved that the kernel could not hold to the
// folder for certain, since something was renamed meanwhile. Then os.Root does.
const resolveTries = 8

// resolve opens a name.
func (t beneathTree) resolve(name string, flags uint64) (fd int, err error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	gone := t.dir.Control(func(dir uintptr) {
		for try := 0; try < resolveTries; try++ {
			if fd, err = unix.Openat2(int(dir), name, &how); err != unix.EAGAIN && err != unix.EINTR {
				return
			}
		}
	})
	if gone != nil {
		return -1, gone
	}
	return fd, err
}

func (t beneathTree) stat(name string) (facts, error) {
	fd, err := t.resolve(name, unix.O_PATH)
	if err == unix.EAGAIN || err == unix.EINTR {
		return t.rootTree.stat(name)
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(fd, &st)
		unix.Close(fd)
	}
	if err != nil {
		return facts{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	kind := st.Mode & unix.S_IFMT
	return facts{
		stamp:   stamp{there: true, size: st.Size, modified: st.Mtim.Nano(), inode: st.Ino},
		folder:  kind == unix.S_IFDIR,
		regular: kind == unix.S_IFREG,
	}, nil
}

func (t beneathTree) open(name string) (fs.File, error) {
	fd, err := t.resolve(name, unix.O_RDONLY|openFlags)
	if err == unix.EAGAIN || err == unix.EINTR {
		return t.rootTree.open(name)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
