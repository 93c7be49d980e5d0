package cgi_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// TestSoak: after many requests whose clients leave, whose programs are killed, hang,
// ignore signals and leave processes behind, nothing is left: no process, descriptor,
// temporary file or goroutine. enginetest looks for the latter two.
func TestSoak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: it reads /proc")
	}
	const clients = 8
	requests := longtest.Count(100, 500) / 2 / clients // on each engine
	mark := "GALE_SOAK_" + strconv.Itoa(os.Getpid()) + "=1"
	dir := scripts(t, map[string]string{
		"ok":    hello,
		"echo":  "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\ncat\n",
		"slow":  "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nsleep 0.02\necho end\n",
		"hangs": "#!/bin/sh\nsleep 1000\n",
		"deaf":  "#!/bin/sh\ntrap '' TERM\nsleep 1000\nsleep 1000\n",
		"group": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nsleep 1000 &\n",
		"flood": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\ncat /dev/zero\n",
		"bad":   "#!/bin/sh\necho bad >&2\necho bad\necho\n",
		"kill":  "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nkill -9 $$\n",
	})
	names := []string{"ok", "echo", "slow", "hangs", "deaf", "group", "flood", "bad", "kill"}
	temp := ""
	each(t, func(t *testing.T) cgi.Config {
		temp = t.TempDir()
		return cgi.Config{Dir: dir, TempDir: temp, Env: []string{mark}, KillGrace: 10 * time.Millisecond, SpoolMemoryBytes: 1000,
			Timeout: 200 * time.Millisecond, Class: class(t, executor.ClassConfig{Workers: clients})}
	}, func(t *testing.T, s *enginetest.Server) {
		done := make(chan struct{})
		var killer, wg sync.WaitGroup
		killer.Go(func() { killAtRandom(mark, done) })
		for n := range uint64(clients) {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(n, 7))
				for range requests {
					attempt(s, names[random.IntN(len(names))], random)
				}
			})
		}
		wg.Wait()
		close(done)
		killer.Wait()
		noneLeft(t, mark)
		if a := get(t, s, "/cgi/ok"); a.body != "hello\n" {
			t.Errorf("%d %q", a.StatusCode, a.body)
		}
		if entries, err := os.ReadDir(temp); err != nil || len(entries) > 0 {
			t.Errorf("temporary files: %v %v", entries, err)
		}
	})
}

// noneLeft waits until no process has the variable mark in its environment.
func noneLeft(t testing.TB, mark string) {
	t.Helper()
	limit := time.Now().Add(longtest.Patience)
	for pids := marked(mark); len(pids) > 0; pids = marked(mark) {
		if time.Now().After(limit) {
			out, _ := exec.Command("ps", "-o", "pid,ppid,stat,args", "-p", strings.Join(pids, ",")).Output()
			t.Fatalf("processes are left:\n%s", out)
		}
		time.Sleep(10 * time.Millisecond) // the end of processes that are not our children gives no signal
	}
}

// attempt makes one request, and may leave before it is answered.
func attempt(s *enginetest.Server, name string, random *rand.Rand) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if random.IntN(3) == 0 {
		timer := time.AfterFunc(time.Duration(random.IntN(30))*time.Millisecond, cancel)
		defer timer.Stop()
	}
	r, err := http.NewRequestWithContext(ctx, "POST", "http://"+s.Addr+"/cgi/"+name, strings.NewReader(strings.Repeat("x", random.IntN(5000))))
	if err != nil {
		panic(err)
	}
	if res, err := s.Client.Do(r); err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}

// killAtRandom kills programs until done.
func killAtRandom(mark string, done <-chan struct{}) {
	random := rand.New(rand.NewPCG(1, 2))
	for {
		select {
		case <-done:
			return
		case <-time.After(20 * time.Millisecond):
		}
		if pids := marked(mark); len(pids) > 0 {
			pid, _ := strconv.Atoi(pids[random.IntN(len(pids))])
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	}
}

// marked are the processes that have the mark in their environment.
func marked(mark string) (pids []string) {
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environs {
		pid := filepath.Base(filepath.Dir(file))
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), mark) && pid != strconv.Itoa(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}
