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

// nginxModule is where Debian's package libnginx-mod-nchan has nchan.
const nginxModule = "/usr/lib/nginx/modules/ngx_nchan_module.so"

// nchanConfig is one process for everything, as a pinned contender has one core.
// Its first message of a channel is the oldest, so that whoever subscribes gets
// the place of the one there is. Of the rest, what is not a default makes it serve
// so many connections for so long, and its history as long as gale's.
const nchanConfig = `
load_module %s;
daemon off;
master_process off;
pid %s/nginx.pid;
error_log stderr error;
events { worker_connections 30000; }
http {
	access_log off;
	client_body_temp_path %[2]s/body;
	proxy_temp_path %[2]s/proxy;
	fastcgi_temp_path %[2]s/fastcgi;
	uwsgi_temp_path %[2]s/uwsgi;
	scgi_temp_path %[2]s/scgi;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	server {
		listen 127.0.0.1:%[3]d backlog=4096;
		nchan_message_buffer_length 256;
		nchan_message_timeout 5m;
		nchan_subscriber_first_message oldest;
		location = /pub { nchan_publisher; nchan_channel_id $arg_id; }
		location = /poll { nchan_subscriber longpoll; nchan_channel_id $arg_id; }
		location = /sse { nchan_subscriber eventsource; nchan_channel_id $arg_id; }
	}
}
`

// nginx is the program, which is not in everybody's PATH.
func nginx() (string, error) {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/nginx")
}

func nchanMissing() error {
	if _, err := nginx(); err != nil {
		return errors.New("there is no nginx")
	}
	if _, err := os.Stat(nginxModule); err != nil {
		return errors.New("nginx has no nchan (Debian's libnginx-mod-nchan)")
	}
	return nil
}

func startNchan(Config) (net.Addr, error) {
	path, err := nginx()
	if err != nil {
		return nil, err
	}
	ln, err := listen()
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().(*net.TCPAddr)
	if err := ln.Close(); err != nil { // nginx listens there
		return nil, err
	}
	dir, err := os.MkdirTemp("", "galebench-nchan-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nchanConfig, nginxModule, dir, addr.Port), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "-c", file, "-p", dir, "-e", "stderr")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	serving = []int{cmd.Process.Pid}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with nginx
	if err := serves(addr, filepath.Join(dir, "nginx.pid"), ended); err != nil {
		return nil, err
	}
	return addr, os.RemoveAll(dir)
}

// serves waits until somebody listens at addr, and there is a file: the last that
// nginx makes.
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
			return fmt.Errorf("nginx has ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("nginx does not serve: %w", err)
		}
	}
}
