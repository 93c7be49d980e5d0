package eventloop

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListenErrors(t *testing.T) {
	s := serve(t, Config{Open: echo})
	if _, err := s.Listen("tcp", s.addr.String()); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a port in use: %v", err)
	}
	for _, address := range []string{"nonsense", "127.0.0.1:port", "127.0.0.1:99999"} {
		if _, err := s.Listen("tcp", address); err == nil || !strings.HasPrefix(err.Error(), "eventloop: ") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := s.Listen("udp", "127.0.0.1:0"); err == nil {
		t.Error("listened on udp")
	}
	if _, err := newServer(t, Config{}).Listen("tcp", "127.0.0.1:0"); err == nil {
		t.Error("listened without an Open")
	}
	if len(s.Addrs()) != 1 {
		t.Errorf("addresses: %v", s.Addrs())
	}
}

func TestUnixSocket(t *testing.T) {
	checkLeaks(t)
	path := filepath.Join(t.TempDir(), "gale.sock")
	s := newServer(t, Config{Open: echo})
	s.listen("unix", path)
	s.Start()
	c := s.dial()
	write(t, c, "hello")
	if got := readN(t, c, 5); got != "hello" {
		t.Errorf("got %q", got)
	}
	if _, err := s.Listen("unix", path); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a live socket: %v", err)
	}
	s.StopAccepting()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is left: %v", err)
	}
}

func TestStaleUnixSocket(t *testing.T) {
	checkLeaks(t)
	path := filepath.Join(t.TempDir(), "gale.sock")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	_ = ln.Close()
	s := newServer(t, Config{Open: echo})
	s.listen("unix", path)
	s.Start()
	write(t, s.dial(), "x")

	// Whoever took the path over keeps it.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s.StopAccepting()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket of another is gone: %v", err)
	}
}

func TestUnixSocketSparesFiles(t *testing.T) {
	s := newServer(t, Config{Open: echo})
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	sub := filepath.Join(dir, "directory")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, sub, filepath.Join(file, "below"), filepath.Join(dir, "missing", "x")} {
		if _, err := s.Listen("unix", path); err == nil {
			t.Errorf("listened on %s", path)
		}
	}
	if p, err := os.ReadFile(link); err != nil || string(p) != "precious" {
		t.Errorf("the file: %q, %v", p, err)
	}
	if _, err := os.Stat(sub); err != nil {
		t.Error(err)
	}
}

func TestAbstractSocket(t *testing.T) {
	checkLeaks(t)
	s := newServer(t, Config{Open: echo})
	s.listen("unix", "@gale-eventloop-test")
	s.Start()
	c := s.dial()
	write(t, c, "x")
	readN(t, c, 1)
}

// TestUnixPeerGone closes a Unix socket without a half-close, which hangs up
// both directions: what was sent arrives all the same.
func TestUnixPeerGone(t *testing.T) {
	type end struct {
		text string
		err  error
	}
	for _, pause := range []string{"reading", "paused"} {
		ended := make(chan end, 1)
		s := newServer(t, Config{Open: func(c Conn) Protocol {
			text := ""
			if pause == "paused" {
				c.PauseRead()
			}
			return &hooks{data: func(p []byte) { text += string(p) }, eof: func() { text += "EOF" }, closed: func(err error) { ended <- end{text, err} }}
		}})
		s.listen("unix", filepath.Join(t.TempDir(), "s"))
		s.Start()
		c := s.dial()
		want := strings.Repeat("last words ", 10_000)
		if pause == "paused" {
			want = ""
			write(t, c, "unheard")
		} else {
			write(t, c, want)
		}
		_ = c.Close()
		if got := receive(t, ended); got.text != want || !errors.Is(got.err, ErrReset) {
			t.Errorf("%s: %d bytes, %v", pause, len(got.text), got.err)
		}
	}
}

func TestListenerTakenOver(t *testing.T) {
	checkLeaks(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, Config{})
	if s.addr, err = s.AddListener(ListenConfig{Listener: ln, Open: echo}); err != nil {
		t.Fatal(err)
	}
	if s.addr.String() != ln.Addr().String() {
		t.Errorf("address %v", s.addr)
	}
	s.Start()
	c := s.dial()
	write(t, c, "x")
	readN(t, c, 1)
}

// TestInherited passes two listeners to a child, which serves on them. Its
// clients connected before it was started.
func TestInherited(t *testing.T) {
	if inChild() {
		inheritedChild(t)
		return
	}
	checkLeaks(t)
	s := newServer(t, Config{Open: echo})
	s.listen("tcp", "127.0.0.1:0")
	s.listen("unix", filepath.Join(t.TempDir(), "s"))
	files, err := s.ListenerFiles()
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		defer f.Close()
	}
	var clients []net.Conn
	for _, a := range s.Addrs() {
		c, err := net.Dial(a.Network(), a.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		write(t, c, "x")
		clients = append(clients, c)
	}
	child(t, []string{"LISTEN_FDS=2", "LISTEN_PID="}, files...)
	for _, c := range clients {
		readN(t, c, 1)
	}
	s.StopAccepting()
	if files, err := s.ListenerFiles(); len(files) != 0 || err != nil {
		t.Errorf("files of a stopped group: %v, %v", files, err)
	}
}

func inheritedChild(t *testing.T) {
	listeners, err := Inherited()
	if err != nil || len(listeners) != 2 {
		t.Fatalf("%d listeners: %v", len(listeners), err)
	}
	if again, err := Inherited(); len(again) != 0 || err != nil {
		t.Errorf("a second call: %v, %v", again, err)
	}
	served := make(chan bool, 2)
	s := newServer(t, Config{Open: func(c Conn) Protocol {
		return &hooks{data: func(p []byte) { c.Write(p); c.Close() }, closed: func(error) { served <- true }}
	}, LingerTimeout: -1})
	for _, ln := range listeners {
		if _, err := s.AddListener(ListenConfig{Listener: ln}); err != nil {
			t.Fatal(err)
		}
	}
	path := s.Addrs()[1].Path
	s.Start()
	receive(t, served)
	receive(t, served)
	s.StopAccepting()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket file of the parent: %v", err)
	}
}

func TestInheritedVariables(t *testing.T) {
	for _, c := range []struct {
		fds, pid string
		fail     bool
	}{
		{"", "", false}, {"2", "1", false}, {"0", "", false}, {"x", "", true}, {"-1", "", true}, {"1", "x", false},
	} {
		t.Setenv("LISTEN_FDS", c.fds)
		t.Setenv("LISTEN_PID", c.pid)
		listeners, err := Inherited()
		if len(listeners) != 0 || (err != nil) != c.fail {
			t.Errorf("%+v: %v, %v", c, listeners, err)
		}
		if _, ok := os.LookupEnv("LISTEN_FDS"); ok {
			t.Errorf("%+v: the variables are left", c)
		}
	}
}
