package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/examples/internal/exampletest"
)

var client = http.Client{Timeout: time.Minute}

// answer is what a poll brings.
type answer struct {
	Cursor   string
	Reason   string
	Messages []struct{ Text string }
}

func poll(base, cursor, wait string) (a answer, err error) {
	query := url.Values{"ch": {"ada"}, "wait": {wait}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	response, err := client.Get(base + "/news?" + query.Encode())
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		return a, fmt.Errorf("polled: %s", response.Status)
	}
	return a, json.NewDecoder(response.Body).Decode(&a)
}

func deliver(t *testing.T, base, what string) {
	t.Helper()
	response, err := client.Post(base+"/for/ada", "text/plain", strings.NewReader(what))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 200 {
		t.Fatal(response.Status)
	}
}

func TestPolls(t *testing.T) {
	base := "http://" + exampletest.Start(t, run)
	t.Cleanup(client.CloseIdleConnections)
	first, err := poll(base, "", "0")
	if err != nil || first.Reason != "timeout" || first.Cursor == "" {
		t.Fatalf("the first answer is %+v, %v", first, err)
	}
	parked := make(chan error, 1)
	var a answer
	go func() {
		var err error
		a, err = poll(base, first.Cursor, "20")
		parked <- err
	}()
	deliver(t, base, "a parcel")
	if err := <-parked; err != nil || len(a.Messages) != 1 || a.Messages[0].Text != "a parcel" {
		t.Fatalf("the poll brings %+v, %v", a, err)
	}
	// As if that answer had been lost: the same again, and what has come since.
	deliver(t, base, "a letter")
	again, err := poll(base, first.Cursor, "0")
	if err != nil || len(again.Messages) != 2 || again.Messages[1].Text != "a letter" {
		t.Fatalf("the same poll brings %+v, %v", again, err)
	}
	if next, err := poll(base, a.Cursor, "0"); err != nil || len(next.Messages) != 1 || next.Messages[0].Text != "a letter" {
		t.Fatalf("the next poll brings %+v, %v", next, err)
	}
}
