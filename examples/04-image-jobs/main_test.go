package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gale-server/gale/examples/internal/exampletest"
)

// do sends a request and returns the answer with its whole body.
func do(t *testing.T, method, url, prefer string, body []byte) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if prefer != "" {
		request.Header.Set("Prefer", prefer)
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, answer
}

// picture returns a JPEG of 64 by 48.
func picture(t *testing.T) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range m.Pix {
		m.Pix[i] = byte(i)
	}
	m.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func checkPicture(t *testing.T, r *http.Response, body []byte, format string, width, height int) {
	t.Helper()
	c, got, err := image.DecodeConfig(bytes.NewReader(body))
	if r.StatusCode != 200 || err != nil || got != format || c.Width != width || c.Height != height ||
		r.Header.Get("Content-Type") != "image/"+format {
		t.Errorf("%s %v: %s %dx%d, %v, want %s %dx%d", r.Status, r.Header, got, c.Width, c.Height, err, format, width, height)
	}
}

func TestWaiting(t *testing.T) {
	url := "http://" + exampletest.Start(t, run) + "/images"
	r, body := do(t, "POST", url+"?width=32", "wait=30", picture(t))
	checkPicture(t, r, body, "jpeg", 32, 24)
	r, body = do(t, "POST", url+"?width=32&rotate=90&format=png", "wait=30", picture(t))
	checkPicture(t, r, body, "png", 32, 43)
}

func TestComingBack(t *testing.T) {
	url := "http://" + exampletest.Start(t, run)
	r, _ := do(t, "POST", url+"/images?width=20&height=20&fit=cover", "", picture(t))
	location := url + r.Header.Get("Location")
	if r.StatusCode != 202 || location == url {
		t.Fatalf("%s %v", r.Status, r.Header)
	}
	var job struct{ State, Result string }
	r, body := do(t, "GET", location, "wait=30", nil)
	if err := json.Unmarshal(body, &job); err != nil || job.State != "done" {
		t.Fatalf("%s %s %v", r.Status, body, err)
	}
	r, body = do(t, "GET", url+job.Result, "", nil)
	checkPicture(t, r, body, "jpeg", 20, 20)
	if r, _ := do(t, "DELETE", location, "", nil); r.StatusCode != 204 {
		t.Errorf("DELETE: %s", r.Status)
	}
	if r, _ := do(t, "GET", url+job.Result, "", nil); r.StatusCode != 410 {
		t.Errorf("after it: %s", r.Status)
	}
}

func TestBadPictures(t *testing.T) {
	url := "http://" + exampletest.Start(t, run) + "/images"
	good := picture(t)
	for name, c := range map[string]struct {
		query  string
		body   []byte
		status int
	}{
		"no picture":        {"", []byte("hello"), 415},
		"nothing":           {"", nil, 415},
		"a part of one":     {"", good[:len(good)/3], 422},
		"a bad width":       {"?width=none", good, 400},
		"too large to be":   {"?width=20000&enlarge=1", good, 400},
		"more than is read": {"", bytes.Repeat([]byte("x"), 17<<20), 413},
	} {
		r, body := do(t, "POST", url+c.query, "wait=30", c.body)
		if r.StatusCode != c.status || !strings.Contains(string(body), `"detail":`) {
			t.Errorf("%s: %s %s, want %d", name, r.Status, body, c.status)
		}
	}
}
