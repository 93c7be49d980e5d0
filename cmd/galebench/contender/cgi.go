package contender

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gale-server/gale/executor"
	gale "github.com/gale-server/gale/handlers/cgi"
)

// A program of cgi is served at /cgi/NAME, from the folder cgi of Config.Programs.

// cgiWorkers is how many programs gale runs at once; the others have no bound, and the
// load asks for fewer.
const cgiWorkers = 1600

func startGaleCGI(cfg Config) (net.Addr, error) {
	e, err := executor.New(executor.Config{Classes: []executor.ClassConfig{{Name: "cgi", Workers: cgiWorkers, LongRun: -1}}})
	if err != nil {
		return nil, err
	}
	h, err := gale.New(gale.Config{Dir: cfg.Programs, Timeout: time.Hour, HeaderTimeout: time.Hour, Class: e.Class("cgi"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return startGale(cfg, h)
}

func startNetHTTPCGI(cfg Config) (net.Addr, error) {
	mux := http.NewServeMux()
	programs, err := filepath.Glob(filepath.Join(cfg.Programs, "cgi", "*"))
	if err != nil {
		return nil, err
	}
	for _, program := range programs {
		path := "/cgi/" + filepath.Base(program)
		mux.Handle(path, &cgi.Handler{Path: program, Root: path})
	}
	return serveHTTP(mux)
}

const lighttpdConfig = `
server.errorlog = "/dev/null"
server.modules = ( "mod_cgi" )
server.bind = "127.0.0.1"
server.port = %d
server.document-root = "%s"
server.pid-file = "%s"
server.max-keep-alive-requests = 100000000
server.max-keep-alive-idle = 3600
$HTTP["url"] =~ "^/cgi/" { cgi.assign = ( "" => "" ) }
`

// lighttpd is the program, which is not in everybody's PATH.
func lighttpd() (string, error) {
	if path, err := exec.LookPath("lighttpd"); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/lighttpd")
}

func lighttpdMissing() error {
	if _, err := lighttpd(); err != nil {
		return errors.New("there is no lighttpd")
	}
	return nil
}

func startLighttpd(cfg Config) (net.Addr, error) {
	path, err := lighttpd()
	if err != nil {
		return nil, err
	}
	return startProgram("lighttpd", func(dir string, port int) []byte {
		return fmt.Appendf(nil, lighttpdConfig, port, cfg.Programs, filepath.Join(dir, "lighttpd.pid"))
	}, func(_, file string) *exec.Cmd { return exec.Command(path, "-D", "-f", file) })
}
