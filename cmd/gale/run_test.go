package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// site makes a folder with a page, and a secret beside it.
func site(t *testing.T) (folder string) {
	t.Helper()
	root := t.TempDir()
	folder = filepath.Join(root, "site")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	file(t, root, "secret.txt", "secret")
	file(t, folder, "index.html", "<p>home</p>")
	return folder
}

const shellScript = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s of %s by %s' \"$PATH_INFO\" \"$SCRIPT_NAME\" \"$REMOTE_ADDR\"\n"

func TestRun(t *testing.T) {
	folder := site(t)
	programs := filepath.Join(t.TempDir(), "cgi-bin")
	if err := os.Mkdir(programs, 0o700); err != nil {
		t.Fatal(err)
	}
	one := program(t, programs, "one", shellScript)
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			for name, c := range map[string]struct {
				args    string
				path    string
				says    string // in the answer, with 200
				welcome string // when it starts
			}{
				"files":           {folder, "/", "<p>home</p>", "the files in " + folder},
				"behind":          {folder + " --no-access-log --header x:y", "/index.html", "<p>home</p>", "the files in"},
				"programs":        {programs, "/one/more", "/more of /one by 127.0.0.1", "the programs in " + programs},
				"environment":     {program(t, t.TempDir(), "env", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s' \"$A\"\n") + " --env A=b,c --env B=d", "/", "b,c", "the program"},
				"program":         {one + " --timeout 30s", "/more", "/more of  by 127.0.0.1", "the program " + one},
				"under a path":    {programs + " --root-path /app/", "/one/more", "/more of /app/one by", "takes /app off"},
				"behind a proxy":  {programs, "/one#X-Forwarded-For: 198.51.100.7", " of /one by 198.51.100.7", ""},
				"no proxy":        {programs + " --no-proxy-headers", "/one#X-Forwarded-For: 198.51.100.7", " of /one by 127.0.0.1", ""},
				"another proxy":   {programs + " --forwarded-allow-ips 10.0.0.0/8", "/one#X-Forwarded-For: 198.51.100.7", " of /one by 127.0.0.1", ""},
				"a folder listed": {"--listing " + filepath.Dir(folder), "/", "secret.txt", ""},
			} {
				if engine == engineNetHTTP && name != "files" && name != "behind a proxy" {
					continue // the flags are the same; that the engine gets them is seen by these
				}
				t.Run(name, func(t *testing.T) {
					p := serve(t, append([]string{"run", "--host", "127.0.0.1", "--port", "0", "--engine", engine}, strings.Fields(c.args)...)...)
					path, field, _ := strings.Cut(c.path, "#")
					q, err := http.NewRequest("GET", strings.TrimSuffix(p.url, "/")+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					if name, value, ok := strings.Cut(field, ": "); ok {
						q.Header.Set(name, value)
					}
					r, err := newClient(t).Do(q)
					if err != nil {
						t.Fatal(err)
					}
					defer r.Body.Close()
					body, err := io.ReadAll(r.Body)
					if err != nil || r.StatusCode != 200 || !strings.Contains(string(body), c.says) {
						t.Errorf("%d %q, %v; want %q", r.StatusCode, body, err, c.says)
					}
					if strings.Contains(c.args, "--header") && r.Header.Get("X") != "y" {
						t.Errorf("headers are %v", r.Header)
					}
					if !strings.Contains(p.log.String(), c.welcome) {
						t.Errorf("said %s", p.log)
					}
					p.signal(syscall.SIGTERM)
					if code := p.wait(); code != exitOK {
						t.Errorf("exit code %d", code)
					}
					if logged := strings.Contains(p.log.String(), "path="); logged == strings.Contains(c.args, "--no-access-log") {
						t.Errorf("an access log is written: %t; said %s", logged, p.log)
					}
				})
			}
		})
	}
}

// Nothing outside the folder is opened, however it is asked for.
func TestRunStaysInside(t *testing.T) {
	folder := site(t)
	if err := os.Symlink("../secret.txt", filepath.Join(folder, "link.txt")); err != nil {
		t.Fatal(err)
	}
	p := serve(t, "run", folder, "--port", "0")
	for _, path := range []string{"/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%2e%2e%5csecret.txt", "/link.txt", "//../secret.txt", "/.%00./secret.txt"} {
		conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), "/"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", path)
		answer, err := io.ReadAll(conn)
		_ = conn.Close()
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) || bytes.Contains(answer, []byte("secret\n")) || bytes.HasSuffix(answer, []byte("secret")) {
			t.Errorf("%s: %q, %v", path, answer, err)
		}
	}
}

// A socket that listens already comes from a supervisor.
func TestRunInherited(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			socket, err := l.(*net.TCPListener).File()
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			cmd := command(t, nil, "run", "--fd", "3", "--engine", engine, site(t))
			cmd.ExtraFiles = []*os.File{socket}
			p := serveCommand(t, cmd)
			if want := "http://" + l.Addr().String() + "/"; p.url != want {
				t.Errorf("serves on %s, want %s", p.url, want)
			}
			if r, body := p.request(newClient(t), "GET", "", "", ""); r.StatusCode != 200 || body != "<p>home</p>" {
				t.Errorf("%d %q", r.StatusCode, body)
			}
		})
	}
}

// What the server was started with is not for the programs that it starts.
func TestRunKeepsDescriptors(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("SKIPPED: there is no /proc to look at descriptors")
	}
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			list := program(t, t.TempDir(), "list", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec ls -l /proc/self/fd\n")
			cmd := command(t, nil, "run", list, "--port", "0", "--engine", engine)
			cmd.ExtraFiles = []*os.File{r, w}
			p := serveCommand(t, cmd)
			answer, body := p.request(newClient(t), "GET", "", "", "")
			// The standard ones, and the one that ls reads the folder by.
			if n := strings.Count(body, " -> "); answer.StatusCode != 200 || n != 4 {
				t.Errorf("%d, %d descriptors:\n%s", answer.StatusCode, n, body)
			}
		})
	}
}

func TestRunUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gale.sock")
	p := startProcess(t, command(t, nil, "run", site(t), "--uds", path))
	p.waitLog(regexp.MustCompile("gale serves"))
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || r.StatusCode != 200 {
		t.Fatalf("%v, %v", r, err)
	}
	_ = r.Body.Close()
}

// curl goes on with a download that was broken off.
func TestRunResumes(t *testing.T) {
	curl := tool(t, "curl", "apt-get install curl")
	folder := site(t)
	content := make([]byte, 3<<20)
	_, _ = rand.Read(content) // never fails
	file(t, folder, "large.bin", string(content))
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			p := serve(t, "run", folder, "--port", "0", "--engine", engine)
			got := file(t, t.TempDir(), "got.bin", string(content[:1<<20+7]))
			out, err := exec.Command(curl, "-sSf", "-C", "-", "-o", got, p.url+"large.bin").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if all, err := os.ReadFile(got); err != nil || !bytes.Equal(all, content) {
				t.Errorf("%d bytes, %v", len(all), err)
			}
			p.waitLog(regexp.MustCompile(`status=206 .*bytes=` + strconv.Itoa(len(content)-1<<20-7)))
		})
	}
}

// TestBrowserVideo has Chromium play a video by ranges; .ci/browser/video.mjs says
// what must be seen.
func TestBrowserVideo(t *testing.T) {
	run := browserScript(t)
	ffmpeg := tool(t, "ffmpeg", "apt-get install ffmpeg")
	folder := site(t)
	file(t, folder, "video.html", `<!doctype html><link rel="icon" href="data:,"><video src="video.mp4" controls></video>`)
	// Noise does not compress: 100 s at 4.3 Mbit/s.
	make := exec.Command(ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25,noise=alls=60:allf=t", "-t", "100",
		"-c:v", "libx264", "-preset", "ultrafast", "-b:v", "4400k", "-pix_fmt", "yuv420p", "-movflags", "+faststart", filepath.Join(folder, "video.mp4"))
	limit := time.AfterFunc(waitLimit, func() { _ = make.Process.Kill() })
	defer limit.Stop()
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := serve(t, "run", folder, "--port", "0")
	run(t, "video.mjs", strings.TrimSuffix(p.url, "/"), func(line string) string {
		t.Errorf("the script said %q", line)
		return ""
	})
}
