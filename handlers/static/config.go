package static

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"path"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

// Config says what is served, and how. Dir or FS is required; every other field has
// a default, which a zero stands for. What a negative value means is said there.
//
// Not safe for concurrent use; [New] takes a copy.
type Config struct {
	// Dir is the folder to serve. It is opened once, as an [os.Root]: no path and no
	// symbolic link leads out of it.
	Dir string

	// FS is the file system to serve instead of a folder, such as an embedded one.
	// All of it is read by New and held in memory, within MaxMemoryBytes.
	FS fs.FS

	// Blocking is the class on which disks are waited for. Default: the handler has
	// at most 32 goroutines for that, and 1,024 requests may wait for them; others
	// get 503.
	Blocking *executor.Class

	// Logger receives what no client is told: disks that fail. Default:
	// slog.Default().
	Logger *slog.Logger

	// Index is the file that a folder is served by. Default: index.html.
	Index string

	// Listing has folders without an index listed. Default: they do not exist.
	Listing bool

	// DotFiles has files and folders served whose names begin with a dot. Default:
	// they do not exist.
	DotFiles bool

	// NotFound is the file that is sent with 404, by its name in the folder: 404.html.
	// Default: a line of text.
	NotFound string

	// Fallback is the file that is sent with 200 for what does not exist, by its name
	// in the folder: the page of an application that has its routes in the browser.
	// It is for pages only: requests that accept text/html by name, for paths whose
	// last element has no extension. Others get 404. Default: none.
	Fallback string

	// Download is the parameter of a query that asks for a file to be saved rather
	// than shown: with "download", /report.pdf?download gets a Content-Disposition
	// (RFC 6266). The name is the file's own; a value of the parameter is not used.
	// Default: none.
	Download string

	// Types are content types by extension (".wasm"), which must be in lower case,
	// before those the package knows. Default: none.
	Types map[string]string

	// CacheControl is the Cache-Control field of every file that no rule in Cache is
	// for. Default: "no-cache", which lets browsers keep a file but ask each time
	// whether it is still the same.
	CacheControl string

	// Cache are rules for the Cache-Control of some files: the first whose pattern
	// fits decides. Default: none.
	Cache []CacheRule

	// Headers are added to every answer that carries a file or a listing, for example
	// a Content-Security-Policy. Default: none.
	Headers []asgi.Header

	// CheckInterval is for how long what is known about a path is used before the
	// disk is asked again. A request that finds it older waits for that. A path in
	// constant use is asked about in the background when half of it is over, and
	// nobody waits. Default: 1 s. Negative: every request waits for a check.
	CheckInterval time.Duration

	// IdleTimeout is how long a file is kept open, or in memory, that nobody asks
	// for. Default: 60 s, so that a deleted file soon gives back its room on the disk.
	// Negative: as long as the other bounds allow.
	IdleTimeout time.Duration

	// MaxOpenFiles is how many files are kept open between requests; those that
	// responses are sent from come on top. Above it the file unused the longest is
	// closed. Default: 256, a fraction of the descriptors that connections want.
	// Negative: none is kept open.
	MaxOpenFiles int

	// MaxMemoryBytes bounds the contents held in memory, and what is known about
	// them. Above it the files unused the longest are dropped; with FS, which has no
	// second place to read them from, New fails. Default: 64 MiB, far above the hot
	// files of a site and far below what hurts. Negative: no bound.
	MaxMemoryBytes int64

	// MaxFileBytes is the size up to which a file of Dir is held in memory; larger
	// ones are sent by the kernel from the open file. Default: 256 KiB, below which a
	// copy of the bytes costs less than that. Negative: none is held in memory.
	MaxFileBytes int64

	// MaxMissing is how many paths are remembered that do not exist. Default: 1,024.
	// Negative: none.
	MaxMissing int

	// MaxRanges is how many ranges a request may have; with more the whole file is
	// sent (RFC 9110, section 14.2). Default: 32, more than a reader of PDF asks for.
	// Negative: ranges are not served.
	MaxRanges int

	// MaxEntries is how many names a listing has; it says so if there are more.
	// Default: 10,000. Negative: no bound.
	MaxEntries int
}

// CacheRule is the Cache-Control of the files whose path fits Pattern.
//
// A pattern without a slash is compared with the last element of the path, another
// with the whole of it, below the mount and with its slash in front. In it, * is any
// text without a slash, ** any text, ? one character but a slash, and <hash> 8 to
// 64 letters, digits and underscores with a digit and a letter among them, as build
// tools put into names: "*.<hash>.*" fits app.3f2a9c1b.js, "/assets/**" all files
// below a folder.
//
// Safe for concurrent use: immutable.
type CacheRule struct {
	Pattern      string
	CacheControl string
}

// Immutable is the Cache-Control of files whose name changes with their content:
// nobody asks again for a year (RFC 8246).
const Immutable = "public, max-age=31536000, immutable"

// maxPathBytes is the length of the longest path that is looked up: PATH_MAX.
const maxPathBytes = 4096

// withDefaults returns c with every default put in and every "no bound" written as
// one that is never reached.
func (c Config) withDefaults() (Config, error) {
	if (c.Dir == "") == (c.FS == nil) {
		return c, errors.New("static: Config: one of Dir and FS is needed")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Index == "" {
		c.Index = "index.html"
	}
	if c.CacheControl == "" {
		c.CacheControl = "no-cache"
	}
	c.CheckInterval = orDefault(c.CheckInterval, time.Second, 0)
	c.IdleTimeout = orDefault(c.IdleTimeout, time.Minute, math.MaxInt64)
	c.MaxOpenFiles = orDefault(c.MaxOpenFiles, 256, 0)
	c.MaxMemoryBytes = orDefault(c.MaxMemoryBytes, 64<<20, math.MaxInt64)
	c.MaxFileBytes = orDefault(c.MaxFileBytes, 256<<10, -1)
	c.MaxMissing = orDefault(c.MaxMissing, 1024, 0)
	c.MaxRanges = orDefault(c.MaxRanges, 32, 0)
	c.MaxEntries = orDefault(c.MaxEntries, 10_000, math.MaxInt-1)
	return c, c.checkNames()
}

// checkNames checks the names of files that the handler sends by itself.
func (c *Config) checkNames() error {
	if strings.ContainsAny(c.Index, `/\`) {
		return fmt.Errorf("static: Config: Index %q: a name is needed, not a path", c.Index)
	}
	for field, name := range map[string]string{"NotFound": c.NotFound, "Fallback": c.Fallback} {
		if name != "" && (!fs.ValidPath(name) || name == ".") {
			return fmt.Errorf("static: Config: %s %q: a path below the folder is needed, such as %s", field, name, path.Base("/404.html"))
		}
	}
	return nil
}

// orDefault is def for zero and none for a negative v.
func orDefault[T int | int64 | time.Duration](v, def, none T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return none
	}
	return v
}
