package static

import (
	"io/fs"
	"strconv"
	"time"
)

// stamp tells one state of a file from another; the zero stamp is no file.
type stamp struct {
	there    bool
	size     int64
	modified int64 // in nanoseconds since 1970; 0 if it is not known
	inode    uint64
}

// stamps are those of a file and of its codings.
type stamps [len(codings)]stamp

// facts are what is known of a file that is not opened.
type facts struct {
	stamp
	folder, regular bool
}

// factsOf returns what an fs.FileInfo says, if there is one.
func factsOf(info fs.FileInfo, err error) (facts, error) {
	if err != nil {
		return facts{}, err
	}
	f := facts{folder: info.IsDir(), regular: info.Mode().IsRegular()}
	f.there, f.size, f.inode = true, info.Size(), inodeOf(info)
	if t := info.ModTime(); t.Unix() > 0 { // embedded files have none
		f.modified = t.UnixNano()
	}
	return f, nil
}

// seconds returns the time of last modification, in seconds since 1970.
func (s stamp) seconds() int64 { return s.modified / int64(time.Second) }

// time returns the same.
func (s stamp) time() time.Time { return time.Unix(0, s.modified).UTC() }

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

// stampsOf returns the stamps of a file, and of its codings as they are now. A coding
// that is older than its file is left out: it is of another content. (Tools that
// compress give their output the time of their input, some of them in whole seconds.)
func (h *Handler) stampsOf(name string, file stamp) (s stamps) {
	s[0] = file
	for i := 1; i < len(codings); i++ {
		coding, err := h.tree.stat(name + codings[i].suffix)
		if err == nil && coding.regular && coding.seconds() >= file.seconds() {
			s[i] = coding.stamp
		}
	}
	return s
}
