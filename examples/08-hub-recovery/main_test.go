package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/examples/internal/exampletest"
	"github.com/gale-server/gale/handlers/hub"
)

// waitLimit bounds every wait.
const waitLimit = time.Minute

// start runs the example until the test ends and returns its URL.
func start(t *testing.T, options hub.Options) string {
	t.Helper()
	return "http://" + exampletest.Start(t, func(ctx context.Context, addr string, ready func(net.Addr)) error {
		return run(ctx, addr, options, ready)
	})
}

func publish(t *testing.T, url string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		response, err := http.Post(url+"/hub/publish", "application/json", strings.NewReader(`{"channel":"news","text":"`+text+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != 200 {
			t.Fatal(response.Status)
		}
	}
}

// reader follows the channel.
type reader struct {
	t     *testing.T
	lines *bufio.Scanner
	leave func()
	id    string // of the last event
}

func follow(t *testing.T, url, lastEventID string) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, "GET", url+"/hub/sse?ch=news", nil)
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
	r := &reader{t: t, lines: bufio.NewScanner(response.Body), leave: func() { _ = response.Body.Close() }}
	t.Cleanup(r.leave)
	return r
}

// next returns the next event: the text of a message, or the type of another.
func (r *reader) next() string {
	r.t.Helper()
	kind := ""
	for r.lines.Scan() {
		field, value, _ := strings.Cut(r.lines.Text(), ": ")
		switch field {
		case "id":
			r.id = value
		case "event":
			kind = value
		case "data":
			if kind != "" {
				return kind
			}
			var m struct{ Text string }
			if err := json.Unmarshal([]byte(value), &m); err != nil {
				r.t.Fatal(err)
			}
			return m.Text
		}
	}
	r.t.Fatalf("the stream ended: %v", r.lines.Err())
	return ""
}

func (r *reader) want(events ...string) {
	r.t.Helper()
	for _, want := range events {
		if got := r.next(); got != want {
			r.t.Fatalf("the next event is %q, want %q", got, want)
		}
	}
}

func TestRecovery(t *testing.T) {
	url := start(t, hub.Options{HistoryMessages: 3})
	r := follow(t, url, "")
	r.want("subscribed")
	publish(t, url, "one", "two")
	r.want("one", "two")
	r.leave()

	publish(t, url, "three", "four")
	back := follow(t, url, r.id)
	back.want("subscribed", "three", "four")
	publish(t, url, "five")
	back.want("five")
	back.leave()

	// The id is good for a poll, too.
	publish(t, url, "five and a half")
	response, err := http.Get(url + "/hub/poll?ch=news&cursor=" + back.id)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var polled struct{ Messages []struct{ Text string } }
	if err := json.NewDecoder(response.Body).Decode(&polled); err != nil || len(polled.Messages) != 1 || polled.Messages[0].Text != "five and a half" {
		t.Fatalf("the poll brings %+v, %v", polled, err)
	}

	publish(t, url, "six", "seven", "eight", "nine") // one more than the history has
	late := follow(t, url, back.id)
	late.want("gap")
	for got := late.next(); got != "seven"; got = late.next() {
		if got != "subscribed" {
			t.Fatalf("behind the gap comes %q", got)
		}
	}
	late.want("eight", "nine")
}
