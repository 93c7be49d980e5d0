package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/examples/internal/exampletest"
)

// interpreter is a Python that has the modules.
func interpreter(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/python3", "python3"} {
		if path, err := exec.LookPath(path); err == nil && exec.Command(path, "-c", "import flask, PIL").Run() == nil {
			return path
		}
	}
	t.Skip("SKIPPED: Flask or Pillow is not installed; get them with: apt-get install python3-flask python3-pil")
	return ""
}

func start(t *testing.T) (url string) {
	t.Helper()
	o := options{folder: ".", interpreter: interpreter(t)}
	return "http://" + exampletest.Start(t, func(ctx context.Context, addr string, ready func(net.Addr)) error {
		return run(ctx, o, addr, ready)
	})
}

// upload sends a picture as a browser does.
func upload(t *testing.T, url, name string, picture []byte) (status int, answer string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("picture", name)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(picture)
	_ = form.Close()
	response, err := http.Post(url+"/pictures", form.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// A picture that is sent to Flask comes, made small, to everybody who watches.
func TestPictures(t *testing.T) {
	url := start(t)
	page, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(page.Body)
	_ = page.Body.Close()
	if page.StatusCode != 200 || !strings.Contains(string(text), "EventSource") {
		t.Fatalf("%d %s", page.StatusCode, text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", url+"/hub/sse?ch=pictures", nil)
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Body.Close()

	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 640, 320)), nil); err != nil {
		t.Fatal(err)
	}
	if status, answer := upload(t, url, "sea.jpg", picture.Bytes()); status != 200 || !strings.Contains(answer, `"offset"`) {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer := upload(t, url, "notes.txt", []byte("no picture")); status != 400 || !strings.Contains(answer, "error") {
		t.Errorf("%d %s", status, answer)
	}
	lines := bufio.NewScanner(watcher.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var message struct {
			Data struct{ Name, URL string }
		}
		if err := json.Unmarshal([]byte(data), &message); err != nil || message.Data.Name == "" {
			continue // what the hub says of the subscription
		}
		seen := message.Data
		if seen.Name != "sea.jpg" || !strings.HasPrefix(seen.URL, "data:image/jpeg;base64,") {
			t.Errorf("%.100s", data)
		}
		break
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	latest, err := http.Get(url + "/latest")
	if err != nil {
		t.Fatal(err)
	}
	defer latest.Body.Close()
	if text, _ := io.ReadAll(latest.Body); !strings.Contains(string(text), `"sea.jpg"`) {
		t.Errorf("%s", text)
	}
}
