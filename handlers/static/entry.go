package static

import (
	"container/list"
	"sync/atomic"
	"time"
)

// kind is what there is at a path.
type kind uint8

const (
	missing   kind = iota
	forbidden      // a file that the server may not read
	folder         // asked for without its final slash
	document       // a file
	listing        // a folder without an index, in forms of HTML and JSON
)

// entry is what the handler knows about a path. Its forms do not change; when the
// disk does, another entry takes its place, and this one ends with the last response
// that uses it.
//
// Safe for concurrent use: what is not immutable is the cache's, or atomic.
type entry struct {
	key    string
	kind   kind
	name   string // of the file: below the root, no slash in front
	forms  []*representation
	stamps stamps
	racy   bool // its file was changed just before it was read: equal stamps prove nothing

	bytes int64 // of memory
	files int   // open

	refs atomic.Int32 // of the cache, and of responses

	// The cache's, under its lock.
	checked time.Time
	used    time.Time
	place   *list.Element // nil when the cache has it no more
}

// overheadBytes is about what an entry takes beside contents and names.
const overheadBytes = 2 << 10

// newEntry returns an entry with one reference.
func newEntry(key string, k kind) *entry {
	e := &entry{key: key, kind: k, bytes: int64(len(key)) + overheadBytes}
	e.refs.Store(1)
	return e
}

// add adds a form.
func (e *entry) add(r *representation) {
	e.forms = append(e.forms, r)
	e.bytes += int64(len(r.data))
	if r.file != nil {
		e.files++
	}
}

// release gives up a reference. The last one closes the files, on a goroutine of its
// own: to close a large file that was deleted is work for a disk.
func (e *entry) release() {
	if e.refs.Add(-1) == 0 && e.files > 0 {
		go e.close() // ends when they are closed
	}
}

func (e *entry) close() {
	for _, form := range e.forms {
		form.close()
	}
}
