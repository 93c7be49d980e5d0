package subprocess

import (
	"os"
	"slices"
	"strings"
)

// Environ is an environment without what a service manager said to this process
// alone, such as LISTEN_FDS, and without the names given. nil is the environment of
// this process.
func Environ(env []string, without ...string) []string {
	if env == nil {
		env = os.Environ()
	}
	var out []string
	for _, e := range env {
		switch name, _, _ := strings.Cut(e, "="); {
		case slices.Contains(ours, name), slices.Contains(without, name):
		default:
			out = append(out, e)
		}
	}
	return out
}

// ours are the variables of sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3).
var ours = []string{
	"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID",
	"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
}
