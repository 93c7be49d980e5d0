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

// stampsOf returns the stamps of the file of this name as they are now. A coding that
// is older than its file is left out: it is of another content. (Tools that compress
// give their output the time of their input, some of them in whole seconds.)
func (h *Handler) stampsOf(name string) (s stamps, err error) {
	var modified int64
	for i, coding := range codings {
		info, err := h.tree.stat(name + coding.suffix)
		switch {
		case err != nil && i == 0:
			return s, err
		case err != nil || !info.Mode().IsRegular() || i > 0 && info.ModTime().Unix() < modified:
			continue
		case i == 0:
			modified = info.ModTime().Unix()
		}
		s[i] = stampOf(info)
	}
	return s, nil
}
