package static

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// tree is where files come from: a folder, out of which nothing leads, or a file
// system. Names are slash-separated, "." is its root. Every method may block.
type tree interface {
	stat(name string) (facts, error) // of what a symbolic link leads to
	open(name string) (fs.File, error)
	close() error
}

// newTree returns what c says.
func newTree(c *Config) (tree, error) {
	if c.FS != nil {
		return fsTree{c.FS}, nil
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("static: %w", err)
	}
	return beneath(rootTree{root}), nil
}

// rootTree is a folder.
type rootTree struct{ root *os.Root }

func (t rootTree) stat(name string) (facts, error) { return factsOf(t.root.Stat(name)) }
func (t rootTree) close() error                    { return t.root.Close() }

// open does not wait for a writer where a FIFO has taken the place of a file.
func (t rootTree) open(name string) (fs.File, error) {
	file, err := t.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// fsTree is a file system.
type fsTree struct{ fsys fs.FS }

func (t fsTree) stat(name string) (facts, error)   { return factsOf(fs.Stat(t.fsys, name)) }
func (t fsTree) open(name string) (fs.File, error) { return t.fsys.Open(name) }
func (t fsTree) close() error                      { return nil }

// outOfFiles reports whether descriptors have run out.
func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// isDisk reports whether err says nothing about whether there is a file: the disk, or
// the system, has failed. All else means that no file can be had by this name: it does
// not exist, it is too long, it leads out of the root or around in circles.
func isDisk(err error) bool {
	for _, failure := range []error{syscall.EIO, syscall.ENOMEM, syscall.ESTALE, syscall.ETIMEDOUT, os.ErrClosed} {
		if errors.Is(err, failure) {
			return true
		}
	}
	return outOfFiles(err)
}
