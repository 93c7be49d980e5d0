package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gale-server/gale/examples/internal/exampletest"
)

func TestHello(t *testing.T) {
	url := "http://" + exampletest.Start(t, run)
	for _, c := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"GET", "/", "", 200, "Hello, world!\n"},
		{"POST", "/greet", "Ada", 200, "Hello, Ada!\n"},
		{"POST", "/greet", strings.Repeat("a", 101), 413, ""},
		{"GET", "/nowhere", "", 404, "not found\n"},
		{"POST", "/", "", 405, "method not allowed\n"},
	} {
		request, err := http.NewRequest(c.method, url+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != c.status || (c.answer != "" && string(answer) != c.answer) {
			t.Errorf("%s %s: %s %q, %v", c.method, c.path, r.Status, answer, err)
		}
	}
}
