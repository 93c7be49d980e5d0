package static

import (
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/gale-server/gale/asgi"
)

// Handler serves files.
//
// Safe for concurrent use.
type Handler struct {
	config Config
	log    *slog.Logger
	rules  []rule
	tree   tree
	disk   disk
	cache  cache

	flying sync.WaitGroup // flights
}

var _ asgi.Handler = (*Handler)(nil)

// New returns the handler that serves what config says, or why there is none: a folder
// that does not exist, a pattern that is none. It blocks for as long as the disk takes.
func New(config Config) (*Handler, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler{config: config, log: config.Logger}
	h.disk.class = config.Blocking
	h.cache = cache{
		config:  &h.config,
		entries: make(map[string]*entry),
		flights: make(map[string]*flight),
	}
	for _, r := range config.Cache {
		made, err := newRule(r)
		if err != nil {
			return nil, err
		}
		h.rules = append(h.rules, made)
	}
	if h.tree, err = newTree(&h.config); err != nil {
		return nil, err
	}
	if err = h.checkFiles(); err == nil && config.FS != nil {
		err = h.freeze()
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// checkFiles checks that there are the files that the handler sends by itself.
func (h *Handler) checkFiles() error {
	for field, name := range map[string]string{"NotFound": h.config.NotFound, "Fallback": h.config.Fallback} {
		if name == "" {
			continue
		}
		at, err := h.tree.stat(name)
		if err == nil && !at.regular {
			err = errIrregular
		}
		if err != nil {
			return fmt.Errorf("static: Config: %s %q: %w", field, name, err)
		}
	}
	return nil
}

// freeze reads all of a file system into the cache, for good.
func (h *Handler) freeze() error {
	h.cache.frozen = true
	return fs.WalkDir(h.config.FS, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("static: %w", err)
		case h.hidden("/"+name) && name != "." && d.IsDir():
			return fs.SkipDir
		case h.hidden("/"+name) && name != ".":
			return nil
		}
		keys := []string{"/" + name}
		if d.IsDir() {
			keys = append(keys, "/"+name+"/")
		}
		if name == "." {
			keys = []string{"/"}
		}
		for _, key := range keys {
			if err := h.keep(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// keep has the entry of a path in the cache for good.
func (h *Handler) keep(key string) error {
	e, err := h.load(key, nil)
	if err != nil {
		return fmt.Errorf("static: %w", err)
	}
	h.cache.mu.Lock()
	defer h.cache.mu.Unlock()
	if e.kind != missing {
		h.cache.put(e, time.Time{})
	}
	if h.cache.bytes > h.config.MaxMemoryBytes {
		return fmt.Errorf("static: FS has more than MaxMemoryBytes, %d: a folder on a disk is served by Dir", h.config.MaxMemoryBytes)
	}
	return nil
}

// Close gives back what the handler holds: open files, memory, its folder. It waits for
// looks at the disk that are under way, so that it is not for loops. Responses that
// have begun are completed; requests get 503 from then on. The error is nil.
func (h *Handler) Close() error {
	h.cache.close()
	h.flying.Wait()
	return h.tree.close()
}

// Open answers a request.
func (h *Handler) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	v := visit{h: h, scope: scope, x: x}
	switch {
	case scope.Type != asgi.ScopeHTTP:
		x.End(asgi.ErrUnsupportedScope)
	case scope.Method == "GET" || scope.Method == "HEAD":
		return h.open(v)
	case scope.Method == "OPTIONS":
		if x.Send(&allowed) == nil {
			_ = x.Send(&noBody)
		}
	default:
		return methodNotAllowed.Open(scope, x)
	}
	return nil
}

// keyOf returns the path under which the cache knows a request's: it begins with a
// slash, has no empty element and none of "." and "..", and ends with a slash if it is
// that of a folder. It is false for a path that no file has.
func (h *Handler) keyOf(p string) (key string, ok bool) {
	if len(p) > maxPathBytes || strings.IndexByte(p, 0) >= 0 {
		return "", false
	}
	key = path.Clean("/" + p)
	if key != "/" && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")) {
		key += "/"
	}
	return key, !h.hidden(key)
}

// hidden reports whether an element of a path begins with a dot, and so does not exist.
func (h *Handler) hidden(key string) bool {
	return !h.config.DotFiles && strings.Contains(key, "/.")
}
