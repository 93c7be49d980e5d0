package cgi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// A process has its limits from its first instruction on, and so has what it starts.
func TestProcessLimits(t *testing.T) {
	dir := scripts(t, map[string]string{
		"limits": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\ncat /proc/self/limits\n",
		"spin":   "#!/bin/sh\nwhile :; do :; done\n",
	})
	program(t, dir, "first", `#include <stdio.h>
#include <sys/resource.h>
__attribute__((constructor)) static void before_main(void) {
	struct rlimit l;
	getrlimit(RLIMIT_NOFILE, &l);
	printf("Content-Type: text/plain\n\n%d", (int)l.rlim_cur);
}
int main(void) { return 0; }`)
	program(t, dir, "memory", `#include <stdio.h>
#include <stdlib.h>
int main(void) {
	printf("Content-Type: text/plain\n\n%s %s", malloc(1 << 20) ? "a little" : "nothing", malloc(1 << 29) ? "a lot" : "not a lot");
	return 0;
}`)
	program(t, dir, "file", `#include <stdio.h>
#include <signal.h>
int main(void) {
	signal(SIGXFSZ, SIG_IGN);
	FILE *f = tmpfile();
	static char block[1 << 16];
	int n = 0;
	setvbuf(f, NULL, _IONBF, 0);
	while (n < 100 && fwrite(block, sizeof block, 1, f) == 1) n++;
	printf("Content-Type: text/plain\n\n%d", n);
	return 0;
}`)
	each(t, func(*testing.T) cgi.Config {
		return cgi.Config{Dir: dir, Limits: cgi.Limits{MemoryBytes: 256 << 20, CPUSeconds: 1, Files: 33, FileBytes: 1 << 20}}
	}, func(t *testing.T, s *enginetest.Server) {
		for path, want := range map[string]string{"first": "33", "memory": "a little not a lot", "file": "16"} {
			if a := get(t, s, "/cgi/"+path); a.body != want {
				t.Errorf("%s: %q, want %q", path, a.body, want)
			}
		}
		a := get(t, s, "/cgi/limits")
		for line := range strings.Lines(a.body) {
			fields := strings.Fields(line)
			switch {
			case strings.HasPrefix(line, "Max core file size") && fields[4] != "0",
				strings.HasPrefix(line, "Max open files") && fields[3] != "33",
				strings.HasPrefix(line, "Max cpu time") && fields[3] != "1",
				strings.HasPrefix(line, "Max address space") && fields[3] != "268435456":
				t.Errorf("%s", line)
			}
		}
		if longtest.On() || strings.HasSuffix(t.Name(), "/loop") { // for a second of a processor
			if a := get(t, s, "/cgi/spin"); a.StatusCode != http.StatusBadGateway {
				t.Errorf("spin: %d", a.StatusCode)
			}
		}
	})
}
