package contender

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// nginxFilesConfig is Debian's, as far as it is about files, in one process and
// without an access log; connections last.
const nginxFilesConfig = `
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr error;
events { worker_connections 30000; }
http {
	sendfile on;
	tcp_nopush on;
	types_hash_max_size 2048;
	include /etc/nginx/mime.types;
	default_type application/octet-stream;
	gzip on;
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
		root %[3]s;
	}
}
`

func startNginxFiles(cfg Config) (net.Addr, error) {
	return startNginx(func(dir string, port int) []byte { return fmt.Appendf(nil, nginxFilesConfig, dir, port, cfg.Files) })
}

// nginx is the program, which is not in everybody's PATH.
func nginx() (string, error) {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/nginx")
}

func nginxMissing() error {
	if _, err := nginx(); err != nil {
		return errors.New("there is no nginx")
	}
	return nil
}

// startNginx starts it with a configuration, which is made for a directory of its own
// and a port.
func startNginx(config func(dir string, port int) []byte) (net.Addr, error) {
	path, err := nginx()
	if err != nil {
		return nil, err
	}
	return startProgram("nginx", config, func(dir, file string) *exec.Cmd {
		return exec.Command(path, "-c", file, "-p", dir, "-e", "stderr")
	})
}

// startProgram starts a server that is a program of its own, with a configuration for
// a folder and a port. It writes its number to a file of its name in the folder.
func startProgram(name string, config func(dir string, port int) []byte, command func(dir, file string) *exec.Cmd) (net.Addr, error) {
	ln, err := listen()
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().(*net.TCPAddr)
	if err := ln.Close(); err != nil { // the program listens there
		return nil, err
	}
	dir, err := os.MkdirTemp("", "galebench-"+name+"-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, name+".conf")
	if err := os.WriteFile(file, config(dir, addr.Port), 0o600); err != nil {
		return nil, err
	}
	cmd := command(dir, file)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	serving = []int{cmd.Process.Pid}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the program
	if err := serves(addr, filepath.Join(dir, name+".pid"), ended); err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	return addr, os.RemoveAll(dir)
}

// serves waits until somebody listens at addr, and there is a file: the last that
// the program makes.
func serves(addr net.Addr, file string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.Dial("tcp4", addr.String())
		if err == nil {
			_ = c.Close()
			if _, err = os.Stat(file); err == nil {
				return nil
			}
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
