package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/examples/internal/exampletest"
)

// waitLimit bounds every wait.
const waitLimit = time.Minute

// start runs the example until the test ends and returns its URL.
func start(t *testing.T, pause time.Duration) string {
	t.Helper()
	return "http://" + exampletest.Start(t, func(ctx context.Context, addr string, ready func(net.Addr)) error {
		return run(ctx, addr, pause, ready)
	})
}

// listen asks for the story from behind an event on.
func listen(t *testing.T, url, lastEventID string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, "GET", url+"/story", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s, %q", response.Status, response.Header.Get("Content-Type"))
	}
	return response
}

// words returns the first n words that a stream brings, or with 0 all of them.
func words(t *testing.T, body io.Reader, n int) (words []string) {
	t.Helper()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		if lines.Text() == "event: end" {
			return words
		}
		if word, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if words = append(words, word); len(words) == n {
				return words
			}
		}
	}
	t.Fatalf("the stream ended after %d words: %v", len(words), lines.Err())
	return nil
}

func TestStory(t *testing.T) {
	url, all := start(t, time.Millisecond), strings.Fields(story)
	if got := words(t, listen(t, url, "").Body, 0); !slices.Equal(got, all) {
		t.Errorf("the story was %q", got)
	}
	cut := listen(t, url, "")
	first := words(t, cut.Body, 7)
	_ = cut.Body.Close()
	if got := words(t, listen(t, url, "7").Body, 0); !slices.Equal(append(first, got...), all) {
		t.Errorf("in two parts the story was %q and %q", first, got)
	}
}

func TestPage(t *testing.T) {
	response, err := http.Get(start(t, time.Millisecond) + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != page {
		t.Errorf("the page is %q, %v", body, err)
	}
}
