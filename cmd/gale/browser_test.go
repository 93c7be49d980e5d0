package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBrowser has two pages of the demo talk in Chromium, cuts one off and
// restarts the server; .ci/browser/chat.mjs says what must be seen.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	node := tool(t, "node", "apt-get install nodejs npm")
	chromium := tool(t, "chromium", "apt-get install chromium")
	folder := filepath.Join("..", "..", ".ci", "browser")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "playwright-core")); err != nil {
		t.Skip("SKIPPED: playwright-core is not installed; get it with: (cd .ci/browser && npm ci)")
	}

	demo := func(addr string) *process {
		return serve(t, "demo", "--addr", addr, "--drain-timeout", "2s")
	}
	p := demo("127.0.0.1:0")
	cmd := exec.Command(node, "chat.mjs", chromium, p.url)
	cmd.Dir = folder
	log := newWatchedBuffer()
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Its own process group, so that no browser outlives the script.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(2*time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer limit.Stop()
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }()

	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if lines.Text() != "restart" {
			t.Errorf("the script said %q", lines.Text())
			continue
		}
		p.signal(syscall.SIGTERM)
		if code := p.wait(); code != exitOK {
			t.Errorf("the server ended with %d", code)
		}
		p = demo(strings.TrimPrefix(p.url, "http://"))
		if _, err := io.WriteString(stdin, "restarted\n"); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, log)
	}
	t.Logf("\n%s", log)
}
