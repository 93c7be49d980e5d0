package python

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settleTime is how long nothing must change before a reload: editors and version
	// control write several files. longestSettle bounds it.
	settleTime    = 100 * time.Millisecond
	longestSettle = 2 * time.Second
	// maxWatched bounds the folders that are watched, each of which costs the kernel
	// some 1 KiB.
	maxWatched = 4096
)

// watch reloads the application whenever a file of Python has changed, until the pool
// stops.
func (p *pool) watch() {
	log := p.config.Logger
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Error("python: changes of the application are not seen", "error", err)
		return
	}
	defer watcher.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, dir := range append([]string{p.config.Dir}, p.config.Path...) {
		p.watchBelow(watcher, dir)
	}
	close(p.watching)
	for p.changes(watcher) {
		log.Info("python: the application has changed")
		_ = p.reload(ctx) // it is logged
	}
}

// changes waits until files of Python have changed and settled. It is false when the
// pool stops.
func (p *pool) changes(watcher *fsnotify.Watcher) bool {
	var settled <-chan time.Time
	var first time.Time
	for {
		select {
		case <-p.quit:
			return false
		case <-settled:
			return true
		case err := <-watcher.Errors: // events were lost: something has changed
			p.config.Logger.Warn("python: changes of the application were missed", "error", err)
			return true
		case e := <-watcher.Events:
			if e.Has(fsnotify.Create) && !uninteresting(e.Name) {
				p.watchBelow(watcher, e.Name)
			}
			if !strings.HasSuffix(e.Name, ".py") || e.Op == fsnotify.Chmod {
				continue
			}
			if first.IsZero() {
				first = time.Now()
			}
			settled = time.After(min(settleTime, time.Until(first.Add(longestSettle))))
		}
	}
}

// watchBelow watches a folder and those below it, but for those that are hidden, hold
// what Python has compiled, or are a virtual environment.
func (p *pool) watchBelow(watcher *fsnotify.Watcher, root string) {
	log := p.config.Logger
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil, !entry.IsDir():
			return nil // what is not there, or may not be read, is not watched
		case path != root && uninteresting(path):
			return filepath.SkipDir
		case len(watcher.WatchList()) >= maxWatched:
			log.Warn("python: there are too many folders to watch", "most", maxWatched)
			return filepath.SkipAll
		}
		if err := watcher.Add(path); err != nil {
			log.Warn("python: changes in a folder are not seen", "folder", path, "error", err)
		}
		return nil
	})
}

func uninteresting(dir string) bool {
	switch name := filepath.Base(dir); {
	case strings.HasPrefix(name, "."), name == "__pycache__", name == "node_modules", name == "site-packages":
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "pyvenv.cfg"))
	return err == nil
}
