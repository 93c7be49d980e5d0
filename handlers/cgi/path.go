package cgi

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/gale-server/gale/asgi"
)

// target is what a request's path names.
type target struct {
	file string // of the program, absolute
	name string // SCRIPT_NAME below the handler's mount: "" or with a leading slash
	info string // PATH_INFO: "" or with a leading slash
}

// maxDepth bounds the folders that a path goes through: links in a folder to itself
// would else make a long path expensive.
const maxDepth = 32

// below returns the decoded path below the handler's mount, without dot segments. It
// is what the client sent, byte by byte: Scope.Path has no bytes that are not UTF-8.
// A path with an encoded slash or NUL names nothing (RFC 3875, section 4.1.5).
func below(scope *asgi.Scope) (string, bool) {
	path := strings.TrimPrefix(scope.Path, scope.RootPath)
	if raw := strings.ToLower(scope.RawPath); strings.Contains(raw, "%2f") || strings.Contains(raw, "%00") {
		return "", false
	}
	if strings.Contains(path, "\uFFFD") {
		path = exact(scope, path)
	}
	if strings.IndexByte(path, 0) >= 0 {
		return "", false
	}
	return resolveDots(path)
}

// exact returns the bytes behind path, the end of the scope's Path.
func exact(scope *asgi.Scope, path string) string {
	decoded, err := url.PathUnescape(scope.RawPath)
	if err != nil {
		return path
	}
	for i := 0; i <= len(decoded); i++ {
		if tail := decoded[i:]; (tail == "" || utf8.RuneStart(tail[0])) && strings.ToValidUTF8(tail, "\uFFFD") == path {
			return tail
		}
	}
	return path
}

// resolveDots removes the segments "." and ".." (RFC 3986, section 5.2.4). A path
// that leads above its root is refused.
func resolveDots(path string) (string, bool) {
	if !strings.HasPrefix(path, "/") {
		return path, path == ""
	}
	if !strings.Contains(path, "/.") {
		return path, true
	}
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".", "..":
			if s == ".." {
				if len(out) == 0 {
					return "", false
				}
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/"), true
}

// find looks for the program that a path names: the first segment that is a file,
// below the folder. It reads the disk.
func (h *Handler) find(path string) (target, error) {
	if h.root == nil {
		return target{file: h.cfg.Script, info: path}, nil
	}
	rest, name := strings.TrimPrefix(path, "/"), ""
	for range maxDepth {
		segment, after, more := strings.Cut(rest, "/")
		if segment == "" || segment[0] == '.' {
			return target{}, errNotFound
		}
		name += "/" + segment
		info, err := h.root.Stat(name[1:])
		switch {
		case errors.Is(err, fs.ErrPermission):
			return target{}, errForbidden
		case err != nil: // also a link that leads out of the folder
			return target{}, errNotFound
		case info.IsDir():
			rest = after
			continue
		}
		if err := runnable(info); err != nil {
			return target{}, &Error{Script: name, Status: 403, Err: err}
		}
		t := target{file: filepath.Join(h.cfg.Dir, filepath.FromSlash(name[1:])), name: name}
		if more {
			t.info = "/" + after
		}
		return t, nil
	}
	return target{}, errNotFound
}

// Why a file is not run. Its text is never sent instead.
var (
	errNotRegular = errors.New("not a program that may be run: no regular file")
	errNoProgram  = errors.New("not a program that may be run: not executable")
	errEverybodys = errors.New("not a program that may be run: everybody may write to it")
)

// runnable says why a file is not run: if everybody may write to it, everybody may
// run anything.
func runnable(info os.FileInfo) error {
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return errNotRegular
	case mode.Perm()&0o111 == 0:
		return errNoProgram
	case mode.Perm()&0o002 != 0:
		return errEverybodys
	}
	return nil
}
