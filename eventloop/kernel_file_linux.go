package eventloop

import (
	"math/bits"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SendFile is sendfile(2). Go's scheduler knows of the call: it waits for the disk
// where nobody has asked Cached before.
func (k *pollerKernel) SendFile(fd, file int, offset int64, n int) (int, error) {
	for {
		sent, err := unix.Sendfile(fd, file, &offset, n)
		switch err {
		case unix.EINTR:
		case unix.EINVAL, unix.ENOSYS: // not from a file of this file system
			return k.sendCopy(fd, file, offset, n)
		default:
			return max(sent, 0), err
		}
	}
}

// ReadAhead has the system fetch a part of a file, without waiting for its end.
func ReadAhead(file *os.File, offset, n int64) {
	_ = unix.Fadvise(int(file.Fd()), offset, n, unix.FADV_WILLNEED) // it is advice
}

// Cached asks twice. cachestat counts pages that are still being fetched, so the
// last byte is read as well: pages are fetched in order. A file system that has no
// reads that do not wait, such as tmpfs, is believed. Where counting is not allowed
// or not known (it came with Linux 6.5, and is for the owner of a file and whoever
// may write to it), bytes are read here and there.
func (k *pollerKernel) Cached(file int, offset int64, n int) bool {
	last := offset + int64(n) - 1
	part := unix.CachestatRange{Off: uint64(offset), Len: uint64(n)}
	var pages unix.Cachestat_t
	if unix.Cachestat(uint(file), &part, &pages, 0) != nil {
		return sampled(file, offset, last)
	}
	if int64(pages.Cache) <= last/pageBytes-offset/pageBytes {
		return false
	}
	err := probe(file, last)
	return err == nil || err == unix.EOPNOTSUPP
}

var pageBytes = int64(os.Getpagesize())

// sampleBytes is how far apart sampled looks: the system fetches that much at a time
// or more.
const sampleBytes = 16 << 10

// sampled looks for a byte here and there, and for the last one.
func sampled(file int, offset, last int64) bool {
	for ; offset < last; offset += sampleBytes {
		if probe(file, offset) != nil {
			return false
		}
	}
	return probe(file, last) == nil
}

// probe reads a byte if that does not wait.
func probe(file int, offset int64) error {
	var p [1]byte
	_, err := readNoWait(file, p[:], offset)
	return err
}

func (k *pollerKernel) ReadCached(file int, p []byte, offset int64) int {
	n, _ := readNoWait(file, p, offset)
	return n
}

// readNoWait is preadv2(2) of one piece, which stays on the caller's stack if it
// lies there.
func readNoWait(file int, p []byte, offset int64) (int, error) {
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	low, high := uintptr(offset), uintptr(uint64(offset)>>(bits.UintSize-1)>>1)
	for {
		n, _, err := unix.Syscall6(unix.SYS_PREADV2, uintptr(file), uintptr(unsafe.Pointer(&iov)), 1, low, high, unix.RWF_NOWAIT)
		switch err {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}
