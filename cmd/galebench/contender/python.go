package contender

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The applications of Python are attributes of this module.
//
//go:embed python/story.py
var story []byte

// Python is the interpreter that Debian's servers and frameworks are installed for.
const Python = "/usr/bin/python3"

// wantsModules says whether the interpreter and modules are there.
func wantsModules(modules ...string) func() error {
	return func() error {
		if _, err := os.Stat(Python); err != nil {
			return errors.New("there is no " + Python)
		}
		for _, module := range modules {
			if err := exec.Command(Python, "-c", "import "+module).Run(); err != nil {
				return fmt.Errorf("no module %s for %s", module, Python)
			}
		}
		return nil
	}
}

func nginxUwsgiMissing() error {
	if _, err := exec.LookPath("uwsgi"); err != nil {
		return errors.New("there is no uwsgi")
	}
	return nginxMissing()
}

func nginxGunicornMissing() error {
	return errors.Join(wantsModules("gunicorn")(), nginxMissing())
}

// storyFolder makes a folder with the module in it, for as long as the process lives.
func storyFolder() (string, error) {
	dir, err := os.MkdirTemp("", "galebench-python-")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "story.py"), story, 0o644)
}

// pythonServer is how a server of Python is started with one worker, without a log
// and with connections that last. app is an attribute of the module story.
type pythonServer func(app string, port int) []string

func module(args ...string) []string { return append([]string{Python, "-m"}, args...) }

func uvicorn(loop, http, ws string) pythonServer {
	return func(app string, port int) []string {
		return module("uvicorn", "--host=127.0.0.1", "--port="+strconv.Itoa(port), "--log-level=error", "--no-access-log",
			"--loop="+loop, "--http="+http, "--ws="+ws, "--timeout-keep-alive=3600", "--ws-ping-interval=3600", "--header=server:"+ServerName, "--no-server-header", "story:"+app)
	}
}

func gunicorn(class string, more ...string) pythonServer {
	return func(app string, port int) []string {
		return append(module("gunicorn.app.wsgiapp", "--bind=127.0.0.1:"+strconv.Itoa(port), "--workers=1", "--worker-class="+class,
			"--keep-alive=3600", "--log-level=error"), append(more, "story:"+app)...)
	}
}

var (
	uvicornFast    = uvicorn("uvloop", "httptools", "websockets")
	uvicornWsproto = uvicorn("uvloop", "httptools", "wsproto")
	uvicornPure    = uvicorn("asyncio", "h11", "websockets")
	hypercorn      = pythonServer(func(app string, port int) []string {
		return module("hypercorn", "--bind=127.0.0.1:"+strconv.Itoa(port), "--workers=1", "--keep-alive=3600", "--log-level=error", "story:"+app)
	})
	daphne = pythonServer(func(app string, port int) []string {
		return module("daphne", "-b", "127.0.0.1", "-p", strconv.Itoa(port), "-v", "0", "--ping-interval", "3600", "story:"+app)
	})
	gunicornThreads = gunicorn("gthread", "--threads=4")
	gunicornUvicorn = gunicorn("uvicorn.workers.UvicornWorker")
)

// start starts the server in a folder with the applications.
func (s pythonServer) start(cfg Config) (net.Addr, error) {
	dir, err := storyFolder()
	if err != nil {
		return nil, err
	}
	ln, err := listen()
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().(*net.TCPAddr)
	if err := ln.Close(); err != nil { // the program listens there
		return nil, err
	}
	args := s(cfg.App, addr.Port)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	return addr, startTree(cmd, addr)
}

// startTree starts a server that is a program with processes of its own, and waits
// until it answers. All of them are what serves.
func startTree(cmd *exec.Cmd, addr net.Addr) error {
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // for good: the signal follows the thread
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the program
	if err := firstAnswer(addr, ended); err != nil {
		return fmt.Errorf("%s: %w", cmd.Args[0], err)
	}
	serving = Tree(cmd.Process.Pid)
	return nil
}

// firstAnswer waits until a server answers a request.
func firstAnswer(addr net.Addr, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		resp, err := client.Get("http://" + addr.String() + "/")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(resp.Status)
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return fmt.Errorf("has ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("does not serve: %w", err)
		}
	}
}

// Tree is a process and all that descend from it.
func Tree(pid int) []int {
	pids := []int{pid}
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range children {
		text, _ := os.ReadFile(file)
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, Tree(child)...)
			}
		}
	}
	return pids
}

// nginxBefore is what stands in nginx's configuration before what passes requests on.
const nginxBefore = `
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr crit;
events { worker_connections 30000; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	server {
		listen 127.0.0.1:%[2]d backlog=4096;
		location / { %[3]s }
	}
}
`

// behindNginx is a server that nginx passes requests to over a Unix socket, as its users
// have it.
type behindNginx struct {
	pass string // nginx's directives, with "%s" for the socket
	args func(app, socket string) []string
}

var nginxUwsgi = behindNginx{
	"include /etc/nginx/uwsgi_params; uwsgi_pass unix:%s;",
	func(app, socket string) []string {
		return []string{"uwsgi", "--plugin=python3", "--uwsgi-socket=" + socket, "--master", "--processes=1", "--threads=4", "--enable-threads",
			"--disable-logging", "--logto=/dev/null", "--listen=100", "--need-app", "--module=story"}
	},
}

var nginxGunicorn = behindNginx{
	"proxy_pass http://unix:%s; proxy_set_header Host $http_host; proxy_http_version 1.1;",
	func(app, socket string) []string {
		return module("gunicorn.app.wsgiapp", "--bind=unix:"+socket, "--workers=1", "--log-level=error", "story:"+app)
	},
}

func (b behindNginx) start(cfg Config) (net.Addr, error) {
	dir, err := storyFolder()
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "server.sock")
	args := b.args(cfg.App, socket)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "STORY="+cfg.App)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // for good: the signal follows the thread
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the program
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		} else if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s does not listen: %w", args[0], err)
		}
	}
	pass := fmt.Sprintf(b.pass, socket)
	addr, err := startNginx(func(dir string, port int) []byte { return fmt.Appendf(nil, nginxBefore, dir, port, pass) })
	if err != nil {
		return nil, err
	}
	if err := firstAnswer(addr, ended); err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	serving = append(serving, Tree(cmd.Process.Pid)...)
	return addr, nil
}
