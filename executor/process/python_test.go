package process

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// pythonJobs is what a user writes.
const pythonJobs = `
import io, os, sys, time
from gale_worker import Blob, Canceled, job, progress

print("printed while loading")

@job("echo", payload=bytes)
def echo(data):
    print("printed by a job")
    return data

@job("shout")
def shout(text):
    return {"text": text.upper(), "stdin": sys.stdin.read()}

@job("count")
def count(n):
    for i in range(n):
        progress(i)
    return n

@job("fail")
def fail(text):
    raise ValueError(text)

@job("leave")
def leave(status):
    sys.exit(status)

@job("die")
def die(signal):
    os.kill(os.getpid(), signal)

@job("sleep")
def sleep(note):
    try:
        progress("sleeping")
        time.sleep(1000)
    finally:
        if note:
            with open(note, "w") as f:
                f.write("tidied up")

@job("deaf")
def deaf(_):
    while True:
        try:
            progress("deaf")
            time.sleep(1000)
        except Canceled:
            pass

@job("allocate")
def allocate(n):
    return len(bytearray(n))

@job("fds")
def fds(_):
    return [os.readlink("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd")
            if os.path.exists("/proc/self/fd/" + fd)]
`

const pillowJobs = `
import io
from PIL import Image
from gale_worker import Blob, job, progress

@job("thumbnail", payload=Blob)
def thumbnail(picture):
    image = Image.open(io.BytesIO(picture.data))
    progress({"opened": image.format})
    image.thumbnail((picture.meta["width"], picture.meta["height"]))
    out = io.BytesIO()
    image.save(out, "PNG")
    return Blob({"width": image.width, "height": image.height}, out.getvalue())
`

// python is a pool of workers that run the jobs of a script.
func python(t testing.TB, script string, config Config) *Pool {
	t.Helper()
	dir := t.TempDir()
	worker := must[string](t)(WritePythonWorker(dir))
	jobs := filepath.Join(dir, "my_jobs.py")
	if err := os.WriteFile(jobs, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	config.Command = []string{interpreter(t), worker, jobs}
	return newPool(t, config)
}

// interpreter is Debian's Python, whose packages are meant, or another one.
func interpreter(t testing.TB) string {
	for _, path := range []string{"/usr/bin/python3", "python3"} {
		if path, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	t.Skip("SKIPPED: python3 is not installed; get it with: apt-get install python3")
	return ""
}

func TestPython(t *testing.T) {
	log := &lines{seen: make(chan string, 100)}
	pool := python(t, pythonJobs, Config{Workers: 1, Logger: log.logger(), Jobs: []string{"echo", "shout"}})
	ctx := limited(t)
	log0 := async(func() (bool, error) { log.wait(t, "printed by a job"); return true, nil })
	for _, size := range []int{0, 1, 4 << 10, 64 << 10, 64<<10 + 1, 3 << 20, 1} {
		in := bytes.Repeat([]byte{0xA7}, size)
		if got := must[[]byte](t)(Call[[]byte, []byte](ctx, pool, "echo", in)); !bytes.Equal(got, in) {
			t.Fatalf("%d bytes came back as %d", size, len(got))
		}
	}
	<-log0
	got := must[map[string]string](t)(Call[string, map[string]string](ctx, pool, "shout", "héllo"))
	if got["text"] != "HÉLLO" || got["stdin"] != "" {
		t.Errorf("%q", got)
	}
	const n = 3000
	seen := 0
	if got, err := Call[int, int](ctx, pool, "count", n, OnProgress(func(i int) {
		if i == seen {
			seen++
		}
	})); err != nil || got != n || seen != n {
		t.Errorf("%d, %v, %d reports", got, err, seen)
	}
	var remote *RemoteError
	if _, err := Call[string, int](ctx, pool, "fail", "on purpose"); !errors.As(err, &remote) || !strings.Contains(err.Error(), "ValueError: on purpose") || !strings.Contains(remote.Stack, "my_jobs.py") {
		t.Errorf("%v", err)
	}
	if _, err := Call[int, int](ctx, pool, "leave", 3); !errors.As(err, &remote) || !remote.Panic {
		t.Errorf("SystemExit: %v", err)
	}
	if _, err := pool.Do(ctx, "shout", []byte("no JSON")); !errors.As(err, &remote) || !strings.Contains(err.Error(), "JSONDecodeError") {
		t.Errorf("bad input: %v", err)
	}
	if _, err := pool.Do(ctx, "missing", nil); !errors.Is(err, ErrUnknownJob) {
		t.Errorf("unknown: %v", err)
	}
	if s := pool.Stats(); s.Started != 1 {
		t.Errorf("%+v", s)
	}
}

func TestPythonFailures(t *testing.T) {
	pool := python(t, pythonJobs, Config{Workers: 1, MaxMemoryBytes: 256 << 20})
	ctx := limited(t)
	var crash *CrashError
	if _, err := Call[syscall.Signal, int](ctx, pool, "die", syscall.SIGSEGV); !errors.As(err, &crash) ||
		!strings.Contains(err.Error(), "segmentation fault") || !strings.Contains(crash.Stderr, "my_jobs.py") {
		t.Errorf("%v: %s", err, crash.Stderr)
	}
	var remote *RemoteError
	if _, err := Call[int, int](ctx, pool, "allocate", 1<<30); runtime.GOOS == "linux" && (!errors.As(err, &remote) || !errors.Is(err, ErrMemory)) {
		t.Errorf("memory: %v", err)
	}
	if got, err := Call[int, int](ctx, pool, "allocate", 1<<20); err != nil || got != 1<<20 {
		t.Errorf("afterwards: %d, %v", got, err)
	}
	if s := pool.Stats(); s.Started != 2 {
		t.Errorf("%+v", s)
	}
}

func TestPythonMissing(t *testing.T) {
	missing := newPool(t, Config{Command: []string{interpreter(t), "/no/such/file.py"}})
	var start *StartError
	if _, err := missing.Do(limited(t), "echo", nil); !errors.As(err, &start) || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("a script that is not there: %v", err)
	}
}

func TestPythonCancel(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	for _, test := range []struct {
		job    string
		killed bool
	}{{"sleep", false}, {"deaf", true}} {
		t.Run(test.job, func(t *testing.T) {
			config := Config{Workers: 1, KillAfter: testLimit}
			if test.killed {
				config.KillAfter = 0 // short
			}
			pool := python(t, pythonJobs, config)
			ctx, cancel := context.WithCancel(limited(t))
			_, err := Call[string, int](ctx, pool, test.job, note, OnProgress(func(string) { cancel() }))
			var canceled *CanceledError
			if !errors.As(err, &canceled) || canceled.Killed != test.killed {
				t.Errorf("%v", err)
			}
			if got := must[[]byte](t)(pool.Do(limited(t), "echo", []byte("next"))); string(got) != "next" {
				t.Errorf("afterwards: %q", got)
			}
		})
	}
	if b := must[[]byte](t)(os.ReadFile(note)); string(b) != "tidied up" {
		t.Errorf("%q", b)
	}
}

func TestPythonIsolation(t *testing.T) {
	needsProc(t)
	newTCP(t)
	pool := python(t, pythonJobs, Config{Workers: 1})
	for _, to := range must[[]string](t)(Call[any, []string](limited(t), pool, "fds", nil)) {
		if strings.HasPrefix(to, "socket:") {
			t.Errorf("a worker has %s", to)
		}
	}
}

// Pillow makes thumbnails in a pool of processes.
func TestPillow(t *testing.T) {
	if out, err := exec.Command(interpreter(t), "-c", "import PIL").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: Pillow is not installed; get it with: apt-get install python3-pil (%s)", bytes.TrimSpace(out))
	}
	type sized struct {
		Width  int `json:"width"`
		Height int `json:"height"`
	}
	picture := image.NewRGBA(image.Rect(0, 0, 1200, 800))
	for y := range 800 {
		for x := range 1200 {
			picture.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x * y), 255})
		}
	}
	var large bytes.Buffer
	if err := jpeg.Encode(&large, picture, nil); err != nil {
		t.Fatal(err)
	}
	pool := python(t, pillowJobs, Config{Workers: 2})
	type out = result[Blob[sized]]
	var results []<-chan out
	for range 6 {
		results = append(results, async(func() (Blob[sized], error) {
			return Call[Blob[sized], Blob[sized]](limited(t), pool, "thumbnail", Blob[sized]{sized{120, 120}, large.Bytes()},
				OnProgress(func(p map[string]string) {
					if p["opened"] != "JPEG" {
						t.Errorf("progress: %v", p)
					}
				}))
		}))
	}
	for _, r := range results {
		small := <-r
		if small.err != nil {
			t.Fatal(small.err)
		}
		decoded, err := png.Decode(bytes.NewReader(small.value.Data))
		if err != nil || decoded.Bounds() != image.Rect(0, 0, 120, 80) || small.value.Meta != (sized{120, 80}) {
			t.Errorf("%v, %+v, %v", decoded.Bounds(), small.value.Meta, err)
		}
	}
	var remote *RemoteError
	if _, err := Call[Blob[sized], Blob[sized]](limited(t), pool, "thumbnail", Blob[sized]{sized{1, 1}, []byte("no picture")}); !errors.As(err, &remote) || !strings.Contains(err.Error(), "UnidentifiedImageError") {
		t.Errorf("no picture: %v", err)
	}
}
