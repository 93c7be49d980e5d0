package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestUsageErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	folder := t.TempDir()
	for _, c := range []struct {
		args string
		env  string
		says string
	}{
		{args: "dance", says: `there is no command "dance"; see gale --help`},
		{args: "--dance", says: `there is no flag "dance"; see gale --help`},
		{args: "demo --dance", says: `there is no flag "dance"; see gale demo --help`},
		{args: "conform -x", says: `there is no flag "x"; see gale conform --help`},
		{args: "demo --addr", says: "a value is missing after --addr; see gale demo --help"},
		{args: "demo --addr=", says: "a value is missing after --addr; see gale demo --help"},
		{args: "demo now", says: `gale demo takes no arguments, but there is "now"; see gale demo --help`},
		{args: "version 2", says: `gale version takes no arguments`},
		{args: "help dance", says: "dance"},
		{args: "demo --addr 8080", says: `--addr: "8080" is no address; write host:port, for example 127.0.0.1:8080`},
		{args: "demo --addr 127.0.0.1:http", says: `--addr: "127.0.0.1:http": a port is a number from 0 to 65535`},
		{args: "demo --addr 127.0.0.1:65536", says: `a port is a number from 0 to 65535`},
		{args: "demo --addr ::1:80", says: `--addr: "::1:80" is no address`},
		{args: "demo --addr unix:", says: `--addr: "unix:" has no path`},
		{args: "demo --addr unix:" + folder + "/none/x.sock", says: "cannot listen on unix:" + folder},
		{args: "demo --addr " + taken.Addr().String(), says: taken.Addr().String() + " is in use by another program; choose another address with --addr"},
		{args: "conform --addr 192.0.2.1:9001", says: "192.0.2.1:9001 is not an address of this machine"},
		{args: "demo --log-level loud", says: `--log-level: "loud" is none of debug, info, warn, error`},
		{args: "demo --log-format xml", says: `--log-format: "xml" is none of text, json`},
		{args: "demo --access-log maybe", says: `--access-log: "maybe" is none of on, off`},
		{args: "demo --drain-timeout 10", says: `--drain-timeout: "10" is no time; write a number with its unit`},
		{args: "demo --drain-timeout -1s", says: `--drain-timeout: "-1s" is no time`},
		{args: "demo --images cloud", says: `--images: "cloud" is none of class, process`},
		{args: "demo", env: "GALE_IMAGES=cloud", says: `GALE_IMAGES: "cloud" is none of class, process`},
		{args: "demo", env: "GALE_DRAIN_TIMEOUT=soon", says: `GALE_DRAIN_TIMEOUT: "soon"`},
		{args: "conform --form thread", says: `--form: "thread" is none of event, coroutine, serial, goroutine`},
		{args: "demo", env: "GALE_ADDR=nowhere", says: `GALE_ADDR: "nowhere" is no address`},
		{args: "demo", env: "GALE_LOG_LEVEL=loud", says: `GALE_LOG_LEVEL: "loud" is none of`},
		{args: "conform", env: "GALE_LOG_FORMAT=xml", says: `GALE_LOG_FORMAT: "xml"`},
		{args: "conform", env: "GALE_ACCESS_LOG=1", says: `GALE_ACCESS_LOG: "1" is none of on, off`},
		{args: "conform", env: "GALE_FORM=thread", says: `GALE_FORM: "thread" is none of`},
		{args: "run", says: "gale run needs a target: there is no manage.py"},
		{args: "run a b", says: "gale run takes one target, and was given 2"},
		{args: "run --dance .", says: `there is no flag "dance"; see gale run --help`},
		{args: "run nowhere", says: "nowhere: there is no such folder, program or module of Python (looked for /"},
		{args: "run http://127.0.0.1:9000", says: "is no proxy for http"},
		{args: "run main.go", says: "main.go is a file, and no program: name the folder to serve, ."},
		{args: "run --cgi main.go", says: "main.go is no program: it is not executable"},
		{args: "run page --port 65536", says: `--port: "65536": a port is a number from 0 to 65535`},
		{args: "run --port 80 page --uds x", says: "--port and --uds both say where to listen: keep one"},
		{args: "run --addr :0 page --fd 3", says: "--addr and --fd both say where to listen: keep one"},
		{args: "run page --fd 99", says: "cannot listen on fd:99: descriptor 99 is no socket that listens"},
		{args: "run page --fd x", says: `--fd: "x" is no descriptor`},
		{args: "run page --timeout 5s", says: "--timeout does not go with the files in /"},
		{args: "run --cgi page --listing", says: "--listing does not go with the programs in /"},
		{args: "run page --header x", says: `--header: "x" is no field; write NAME:VALUE`},
		{args: "run page --header content-length:1", says: "--header: http1: a field of the connection, of the framing"},
		{args: "run page --forwarded-allow-ips proxy", says: `--forwarded-allow-ips: "proxy" is no address`},
		{args: "run page --root-path app", says: `--root-path: "app" is no path to mount on`},
		{args: "run --cgi page --max-body huge", says: `--max-body: "huge" is no size`},
		{args: "run --cgi page --processes 0", says: `--processes: "0" is no number from 1 to 10000`},
		{args: "run --cgi page --env HOME", says: `--env: "HOME" is no variable; write NAME=VALUE`},
		{args: "run page --env A=b", says: "--env does not go with the files in /"},
		{args: "run page --access-log=maybe", says: `--access-log: "maybe" is none of on, off`},
		{args: "conform --form thread", env: "GALE_FORM=event", says: `--form: "thread"`},
	} {
		stdout, stderr, code := output(t, strings.Fields(c.env), strings.Fields(c.args)...)
		line, ended := strings.CutSuffix(stderr, "\n")
		if code != exitUsage || stdout != "" || !ended || strings.Contains(line, "\n") ||
			!strings.HasPrefix(line, "gale: ") || !strings.Contains(line, c.says) {
			t.Errorf("%s gale %s: exit code %d, said %q and %q, want %q", c.env, c.args, code, stdout, stderr, c.says)
		}
	}
}

func TestHelp(t *testing.T) {
	for args, wants := range map[string][]string{
		"":               {"gale <command> [flags]", "demo", "conform", "version", "Begin with \"gale demo\""},
		"--help":         {"gale <command> [flags]", "demo", "conform", "version"},
		"help":           {"gale <command> [flags]"},
		"help demo":      {"gale demo [flags]", "--addr HOST:PORT", "$GALE_ADDR", `"127.0.0.1:8080"`, "$GALE_LOG_LEVEL", "$GALE_LOG_FORMAT", "$GALE_ACCESS_LOG", "$GALE_IMAGES"},
		"demo -h":        {"gale demo [flags]"},
		"run --help":     {"gale run [flags] [TARGET] [flags]", "./cgi-bin", "--host HOST", "--uds PATH", `"127.0.0.1:8000"`, "$GALE_ROOT_PATH"},
		"conform --help": {`"127.0.0.1:9001"`, "--form FORM", "$GALE_FORM", "coroutine"},
	} {
		stdout, stderr, code := output(t, nil, strings.Fields(args)...)
		if code != exitOK || stderr != "" {
			t.Errorf("gale %s: exit code %d, stderr %q", args, code, stderr)
		}
		for _, want := range wants {
			if !strings.Contains(stdout, want) {
				t.Errorf("gale %s: no %q in:\n%s", args, want, stdout)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	stdout, stderr, code := output(t, nil, "version")
	if code != exitOK || stderr != "" || !regexp.MustCompile(`^gale \S+ \(go1\S+ \w+/\w+\)\n$`).MatchString(stdout) {
		t.Errorf("exit code %d, said %q and %q", code, stdout, stderr)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gale.sock")
	cmd := command(t, nil, "conform", "--addr", "unix:"+path)
	log := newWatchedBuffer()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if _, ok := log.wait(regexp.MustCompile("gale conform"), nil); !ok {
		t.Fatalf("said %s", log)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v; said %s", err, log)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

func TestURLs(t *testing.T) {
	for _, c := range []struct {
		addr      net.Addr
		here      string
		elsewhere bool
	}{
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, "http://127.0.0.1:80", false},
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 8080}, "http://[::1]:8080", false},
		{&net.TCPAddr{IP: net.IPv4zero, Port: 8080}, "http://localhost:8080", true},
		{&net.TCPAddr{IP: net.IPv6unspecified, Port: 8080}, "http://localhost:8080", true},
		{&net.UnixAddr{Name: "/tmp/x"}, "/tmp/x", false},
	} {
		here, elsewhere := urls(c.addr)
		if here != c.here || (elsewhere != "" && !c.elsewhere) {
			t.Errorf("%v: %q, %q", c.addr, here, elsewhere)
		}
	}
}
