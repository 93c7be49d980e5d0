package contender

import (
	"errors"
	"fmt"
	"net"
	"os"
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

func nchanMissing() error {
	if err := nginxMissing(); err != nil {
		return err
	}
	if _, err := os.Stat(nginxModule); err != nil {
		return errors.New("nginx has no nchan (Debian's libnginx-mod-nchan)")
	}
	return nil
}

func startNchan(Config) (net.Addr, error) {
	return startNginx(func(dir string, port int) []byte { return fmt.Appendf(nil, nchanConfig, nginxModule, dir, port) })
}
