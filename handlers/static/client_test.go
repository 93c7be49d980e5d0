package static_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/static"
)

// curl goes on with a download that broke off, and does not where there is nothing more.
func TestClientCurlResumes(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		fmt.Println("SKIPPED: no download with curl, which is not installed")
		t.Skip("curl is not installed")
	}
	content := bytes.Repeat([]byte("0123456789abcdefg"), 60_000)
	handler := func(t *testing.T) asgi.Handler {
		return open(t, static.Config{Dir: folder(t, map[string]string{"file": string(content)})})
	}
	enginetest.Each(t, enginetest.Options{}, handler, func(t *testing.T, s *enginetest.Server) {
		to := filepath.Join(t.TempDir(), "file")
		for _, have := range []int{0, 1, 300_000, len(content) - 1, len(content)} {
			must(t, os.WriteFile(to, content[:have], 0o644))
			out, err := exec.Command(curl, "-sS", "-C", "-", "-o", to, "http://"+s.Addr+"/file").CombinedOutput()
			got, readErr := os.ReadFile(to)
			must(t, readErr)
			if !bytes.Equal(got, content) {
				t.Errorf("from %d: %v, %d bytes: %s", have, err, len(got), out)
			}
		}
	})
}
