package static

import (
	"io/fs"
	"strconv"
)

// stamp tells one state of a file from another; the zero stamp is no file.
type stamp struct {
	there    bool
	size     int64
	modified int64 // in nanoseconds since 1970
	inode    uint64
}

// stamps are those of a file and of its codings.
type stamps [len(codings)]stamp

func stampOf(info fs.FileInfo) stamp {
	return stamp{there: true, size: info.Size(), modified: info.ModTime().UnixNano(), inode: inodeOf(info)}
}

// tag is the entity tag of a file that is not read as a whole. The inode is part of
// it, for there are files of one size and time with two contents: those of builds that
// give every file the same time.
func (s stamp) tag() string {
	dst := append(make([]byte, 0, 64), '"')
	for i, n := range []uint64{uint64(s.size), uint64(s.modified), s.inode} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = strconv.AppendUint(dst, n, 36)
	}
	return string(append(dst, '"'))
}

// stampsOf returns the stamps of a file, of which info is known, and of its codings as
// they are now. A coding that is older than its file is left out: it is of another
// content. (Tools that compress give their output the time of their input, some of them
// in whole seconds.)
func (h *Handler) stampsOf(name string, info fs.FileInfo) (s stamps) {
	s[0] = stampOf(info)
	for i := 1; i < len(codings); i++ {
		coding, err := h.tree.stat(name + codings[i].suffix)
		if err == nil && coding.Mode().IsRegular() && coding.ModTime().Unix() >= info.ModTime().Unix() {
			s[i] = stampOf(coding)
		}
	}
	return s
}
