package cgi_test

import (
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/cgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

// git runs git with a configuration of its own.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestGit: git http-backend serves a clone and a push to git, of packs that no pipe and
// no memory holds whole, and of many references, for which git compresses its requests.
func TestGit(t *testing.T) {
	need(t, "git")
	backend := filepath.Join(git(t, ".", "--exec-path"), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skip("SKIPPED: no git http-backend")
	}
	first, sum := largeRepository(t, longtest.Count(1<<20+1<<19, 20<<20))
	root := ""
	enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
		root = t.TempDir()
		return mount(t, cgi.Config{Script: backend, TempDir: t.TempDir(), Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=", "GIT_CONFIG_GLOBAL=/dev/null"}})
	}, func(t *testing.T, s *enginetest.Server) {
		git(t, root, "init", "-q", "--bare", "repo.git")
		git(t, root, "-C", "repo.git", "config", "http.receivepack", "true")
		url := "http://" + s.Addr + "/cgi/repo.git"
		git(t, first, "push", "-q", url, "main", "--tags")

		second := filepath.Join(t.TempDir(), "clone")
		git(t, ".", "clone", "-q", "-b", "main", url, second)
		got, err := os.ReadFile(filepath.Join(second, "large"))
		if err != nil || sha256.Sum256(got) != sum {
			t.Fatalf("another file was cloned: %d bytes, %v", len(got), err)
		}
		write(t, filepath.Join(second, filepath.Base(t.Name())), "more", 0o600)
		git(t, second, "add", ".")
		git(t, second, "commit", "-q", "-m", "small")
		git(t, second, "push", "-q", "origin", "main")
		git(t, first, "pull", "-q", "--tags", url, "main")
		if a, b := git(t, first, "rev-parse", "HEAD"), git(t, second, "rev-parse", "HEAD"); a != b {
			t.Errorf("%s is not %s", a, b)
		}
		if n := strings.Count(git(t, second, "tag"), "\n") + 1; n != 300 {
			t.Errorf("%d tags", n)
		}
	})
}

// largeRepository is one of a large file, whose sum is returned, and of 300 tags.
func largeRepository(t *testing.T, size int) (dir string, sum [sha256.Size]byte) {
	t.Helper()
	dir = t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	var seed [32]byte
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(seed).Read(data)
	write(t, filepath.Join(dir, "large"), string(data), 0o600)
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-q", "-m", "large")
	refs := new(strings.Builder)
	for i := range 300 {
		refs.WriteString("create refs/tags/t" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + "-" + string(rune('a'+i/26)) + " HEAD\n")
	}
	update := exec.Command("git", "-C", dir, "update-ref", "--stdin")
	update.Stdin = strings.NewReader(refs.String())
	if out, err := update.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir, sha256.Sum256(data)
}

// TestPHP: php-cgi finds its script and its variables.
func TestPHP(t *testing.T) {
	php := need(t, "php-cgi")
	www := t.TempDir()
	write(t, filepath.Join(www, "app.php"), `<?php header('X-Own: a'); http_response_code(201);
echo $_SERVER['REQUEST_METHOD'], ' ', $_GET['q'] ?? '', ' ', $_POST['p'] ?? '', ' ', $_SERVER['HTTP_HOST'] ?? '', ' ', $_SERVER['REMOTE_ADDR'], ' ', php_sapi_name(), ' ', strlen(file_get_contents('php://input'));`, 0o644)
	write(t, filepath.Join(www, "go.php"), `<?php header('Location: /elsewhere');`, 0o644)
	// php-cgi is a program for files that are not: it is told which by a wrapper.
	dir := scripts(t, map[string]string{"php": "#!/bin/sh\nSCRIPT_FILENAME=\"$PATH_TRANSLATED\" SCRIPT_NAME=\"$SCRIPT_NAME$PATH_INFO\"\nexport SCRIPT_FILENAME SCRIPT_NAME\nexec " + php + "\n"})
	each(t, func(*testing.T) cgi.Config { return cgi.Config{Dir: dir, DocumentRoot: www} }, func(t *testing.T, s *enginetest.Server) {
		r := request(t, s, "POST", "/cgi/php/app.php?q=1%2B", strings.NewReader("p=2"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Host = "gale.example"
		a := do(t, s, r)
		if a.StatusCode != 201 || a.body != "POST 1+ 2 gale.example 127.0.0.1 cgi-fcgi 3" || a.Header.Get("X-Own") != "a" {
			t.Errorf("%d %q %v", a.StatusCode, a.body, a.Header)
		}
		if a := get(t, s, "/cgi/php/go.php"); a.StatusCode != 302 || a.Header.Get("Location") != "/elsewhere" {
			t.Errorf("%d %v %q", a.StatusCode, a.Header, a.body)
		}
		if a := get(t, s, "/cgi/php/app.php?-s"); a.StatusCode != 201 || strings.Contains(a.body, "php") && strings.Contains(a.body, "&lt;") {
			t.Errorf("%d %q", a.StatusCode, a.body)
		}
	})
}
