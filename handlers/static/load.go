package static

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
)

// load looks up what there is at a path, where that may wait for a disk: old, if that
// is what is known and still right, or an entry with one reference for the caller. An
// error says that it cannot be known now.
func (h *Handler) load(key string, old *entry) (*entry, error) {
	name := strings.Trim(key, "/")
	if name == "" {
		name = "."
	}
	at, err := h.tree.stat(name)
	asFolder := strings.HasSuffix(key, "/")
	switch {
	case err != nil:
		return h.nothing(key, err)
	case at.folder && !asFolder:
		return newEntry(key, folder), nil
	case at.folder:
		return h.loadFolder(key, name, old)
	case asFolder || !at.regular:
		return newEntry(key, missing), nil
	}
	return h.loadFile(key, name, at.stamp, old)
}

// nothing is the entry of a path at which err is all there is.
func (h *Handler) nothing(key string, err error) (*entry, error) {
	switch {
	case isDisk(err):
		return nil, err
	case errors.Is(err, fs.ErrPermission):
		return newEntry(key, forbidden), nil
	}
	return newEntry(key, missing), nil
}

// loadFolder looks up the index of a folder, or lists it.
func (h *Handler) loadFolder(key, name string, old *entry) (*entry, error) {
	index := path.Join(name, h.config.Index)
	at, err := h.tree.stat(index)
	switch {
	case err == nil && at.regular:
		return h.loadFile(key, index, at.stamp, old)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return h.nothing(key, err)
	case h.config.Listing:
		e, err := h.list(key, name)
		if err != nil {
			return h.nothing(key, err)
		}
		return e, nil
	}
	return newEntry(key, missing), nil
}

// loadFile opens a file, whose stamp is known, and its codings.
func (h *Handler) loadFile(key, name string, file stamp, old *entry) (*entry, error) {
	now := h.stampsOf(name, file)
	if old != nil && old.kind == document && old.stamps == now && !old.racy {
		old.refs.Add(1)
		return old, nil
	}
	e := newEntry(key, document)
	e.name = name
	for i, coding := range codings {
		if !now[i].there {
			continue
		}
		form, stamp, err := h.openForm(name + coding.suffix)
		if err != nil && i == 0 {
			e.close()
			return h.nothing(key, err)
		}
		if err != nil {
			continue
		}
		if i > 0 && stamp.seconds() < e.stamps[0].seconds() { // the file was replaced meanwhile
			form.close()
			continue
		}
		form.coding = coding.name
		e.stamps[i] = stamp
		e.racy = e.racy || fresh(stamp)
		e.add(form)
	}
	for _, form := range e.forms {
		form.contentType = h.contentType(name)
		if len(e.forms) > 1 {
			form.vary = "accept-encoding"
		}
		form.prepare(h.cacheControl(name), h.config.MaxRanges > 0, h.config.Headers)
	}
	return e, nil
}

// racePeriod is how long after a change a file may change again without another time,
// on file systems that count in seconds.
const racePeriod = 2 * time.Second

// fresh reports whether a file was changed so lately that its time may stand for more
// than one content.
func fresh(s stamp) bool {
	return time.Since(s.time()) < racePeriod
}

// errIrregular says that what was opened is no file.
var errIrregular = errors.New("static: not a regular file")

// openForm opens a file, and reads it if it is to be held in memory.
func (h *Handler) openForm(name string) (*representation, stamp, error) {
	file, err := h.tree.open(name)
	if err != nil {
		return nil, stamp{}, err
	}
	r, s, err := h.hold(file)
	if err != nil || r.file == nil {
		file.Close()
	}
	return r, s, err
}

// hold makes a representation of an open file, which is its own or was read.
func (h *Handler) hold(file fs.File) (*representation, stamp, error) {
	at, err := factsOf(file.Stat())
	switch {
	case err != nil:
		return nil, stamp{}, err
	case !at.regular:
		return nil, stamp{}, errIrregular
	}
	r := new(representation)
	if osFile, ok := file.(*os.File); ok && at.size > h.config.MaxFileBytes && !h.cache.frozen {
		r.file, r.size, r.etag = osFile, at.size, at.tag()
	} else {
		if r.data, at.stamp, err = h.readAll(file, at.stamp); err != nil {
			return nil, stamp{}, err
		}
		r.size, r.etag = int64(len(r.data)), contentTag(r.data)
	}
	if at.modified > 0 {
		r.lastModified, r.modified = at.time().Format(http.TimeFormat), at.seconds()
	}
	return r, at.stamp, nil
}

// readTries is how often a file is read that changes meanwhile.
const readTries = 3

// readAll reads a file whole, as it was at one time, and returns its stamp: if it has
// changed meanwhile, it is read again. One that never rests, or has grown too large, is
// taken as it was last read.
func (h *Handler) readAll(file fs.File, s stamp) ([]byte, stamp, error) {
	osFile, ok := file.(*os.File)
	if !ok {
		data, err := io.ReadAll(file)
		return data, s, err
	}
	for try := 1; ; try++ {
		data := make([]byte, s.size)
		n, err := io.ReadFull(io.NewSectionReader(osFile, 0, s.size), data)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, s, err
		}
		now, err := factsOf(file.Stat())
		if err != nil {
			return nil, s, err
		}
		whole := n == len(data) && now.stamp == s
		if whole || try == readTries || now.size > h.config.MaxFileBytes && !h.cache.frozen {
			return data[:n], now.stamp, nil
		}
		s = now.stamp
	}
}
