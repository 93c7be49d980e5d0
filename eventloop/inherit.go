package eventloop

import (
	"fmt"
	"net"
	"os"
	"strconv"
)

// firstInherited is the first descriptor after the three standard ones.
const firstInherited = 3

// Inherited returns the listeners that the parent process passed, by the
// protocol of systemd: LISTEN_FDS descriptors from 3 on, meant for the process
// LISTEN_PID. A parent that cannot know our process id leaves LISTEN_PID out.
// The variables are removed, so that children do not take them for theirs and
// a second call returns nothing.
// https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
//
// Not safe for concurrent use.
func Inherited() ([]net.Listener, error) {
	count, pid := os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_PID")
	for _, name := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name)
	}
	if count == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 1024 {
		return nil, fmt.Errorf("eventloop: LISTEN_FDS is not a small number: %q", count)
	}
	var listeners []net.Listener
	for fd := firstInherited; fd < firstInherited+n; fd++ {
		// The listener gets a duplicate that children do not inherit, and the
		// original goes.
		file := os.NewFile(uintptr(fd), "inherited")
		ln, err := net.FileListener(file)
		_ = file.Close()
		if err != nil {
			for _, ln := range listeners {
				_ = ln.Close()
			}
			return nil, fmt.Errorf("eventloop: inherited descriptor %d: %w", fd, err)
		}
		listeners = append(listeners, ln)
	}
	return listeners, nil
}
