package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gale-server/gale/"

// layers says which packages of the module a package may import, tests apart.
// The first pattern that matches decides; a package that matches none fails. A
// pattern ending in /... covers the packages below it too.
var layers = []struct {
	of  string
	may []string
}{
	{"asgi", nil},
	{"asgi/asgitest/...", []string{"asgi"}},
	{"asgi/internal/engine", []string{"asgi", "asgi/websocket"}}, // what engines share
	{"asgi/internal/...", nil},                                   // data of tests
	{"asgi/http1", []string{"asgi"}},
	{"asgi/logsink", nil},
	{"asgi/websocket", []string{"asgi"}},
	{"asgi/nethttp", []string{"asgi", "asgi/http1", "asgi/websocket", "asgi/internal/engine", "eventloop/descriptors", "eventloop/unixsocket"}},
	{"asgi/server", []string{"asgi", "asgi/http1", "asgi/websocket", "asgi/internal/engine", "eventloop"}},
	{"eventloop/...", []string{"eventloop/..."}},
	{"executor/...", []string{"asgi", "executor/...", "eventloop/procs"}},
	{"handlers/images", nil},
	{"handlers/static", []string{"asgi", "executor", "handlers"}},
	{"handlers/cors", []string{"asgi", "asgi/websocket"}}, // whose rules for origins it shares
	{"handlers/hub/jwt", []string{"asgi", "handlers/hub", "handlers/internal/jsontext"}},
	{"handlers/hub/hubtest", []string{"asgi", "asgi/asgitest", "handlers/hub"}}, // for tests
	// For tests, as the one above:
	{"handlers/internal/enginetest", []string{"asgi", "asgi/asgitest", "asgi/nethttp", "asgi/server"}},
	{"handlers/cgi", []string{"asgi", "executor", "executor/subprocess", "handlers", "handlers/internal/variables"}},
	{"handlers/internal/variables", []string{"asgi"}},
	{"handlers/python", []string{"asgi", "executor", "executor/subprocess", "handlers/..."}},
	{"handlers/python/internal/wire", []string{"asgi"}},
	{"handlers/...", []string{"asgi", "executor", "handlers/..."}},
	{"internal/...", nil},                                // of tests
	{"examples/internal/...", []string{"asgi/asgitest"}}, // for tests
	{"examples/...", []string{"asgi/...", "executor/...", "handlers/..."}},
	{"cmd/internal/garbage", nil},
	{"cmd/internal/hostile", nil}, // clients
	{"cmd/internal/victim", []string{"asgi"}},
	{"cmd/gale/...", []string{"asgi/...", "eventloop", "executor/...", "handlers/...", "cmd/gale/...", "cmd/internal/garbage"}},
}

// foreign says which packages of other modules a layer may import; those it
// does not name may import none but the standard library.
var foreign = map[string][]string{
	"asgi/asgitest/...": {"github.com/gorilla/websocket"},
	"asgi/nethttp":      {"github.com/gorilla/websocket", "golang.org/x/sys/unix"},
	"eventloop/...":     {"github.com/panjf2000/gnet/v2/pkg/netpoll", "github.com/panjf2000/gnet/v2/pkg/queue", "github.com/panjf2000/gnet/v2/pkg/errors", "golang.org/x/sys/unix"},
	"executor/...":      {"github.com/alitto/pond/v2", "golang.org/x/sys/unix"},
	"handlers/cgi":      {"golang.org/x/sys/unix"},
	"handlers/images":   {"golang.org/x/image/webp"},
	"handlers/python":   {"golang.org/x/sys/unix", "github.com/fsnotify/fsnotify"},
	"handlers/static":   {"golang.org/x/sys/unix"},
	"handlers/hub/jwt":  {"github.com/golang-jwt/jwt/v5"},
	"examples/...":      {"github.com/go-chi/chi/v5"},
	"cmd/gale/...":      {"github.com/urfave/cli/v3", "github.com/pelletier/go-toml/v2", "github.com/pelletier/go-toml/v2/unstable"},
}

// ioPackages may not be imported by a protocol machine: it does no I/O, takes no
// lock and reads no clock.
var (
	sansIO     = []string{"asgi/http1", "asgi/websocket", "executor/process/wire", "handlers/python/internal/wire"}
	ioPackages = []string{"net", "net/http", "os", "sync", "sync/atomic", "context", "time", "io"}
)

func matches(pattern, pkg string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pattern == pkg
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, pkg) })
}

// TestImports holds every package to its layer.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("go list: %v: the go command is needed to read the import graph", err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		checkImports(t, strings.TrimPrefix(p.ImportPath, module), p.Imports)
	}
}

func checkImports(t *testing.T, pkg string, imports []string) {
	i := slices.IndexFunc(layers, func(l struct {
		of  string
		may []string
	}) bool {
		return matches(l.of, pkg)
	})
	if i < 0 {
		t.Errorf("%s is in no layer", pkg)
		return
	}
	for _, imported := range imports {
		own, inside := strings.CutPrefix(imported, module)
		first, _, _ := strings.Cut(imported, "/")
		switch {
		case inside && !matchesAny(layers[i].may, own):
			t.Errorf("%s imports %s: not allowed to layer %s", pkg, own, layers[i].of)
		case !inside && strings.Contains(first, ".") && !slices.Contains(foreign[layers[i].of], imported):
			t.Errorf("%s imports %s: not allowed to layer %s", pkg, imported, layers[i].of)
		case slices.Contains(sansIO, pkg) && slices.Contains(ioPackages, path.Clean(imported)):
			t.Errorf("%s imports %s: a protocol machine does no I/O", pkg, imported)
		}
	}
}
