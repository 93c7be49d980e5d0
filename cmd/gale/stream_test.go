package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestProse(t *testing.T) {
	c := prose()
	for number := range uint64(200) {
		tokens := c.paragraph(7, number)
		if again := c.paragraph(7, number); !slices.Equal(tokens, again) {
			t.Fatalf("paragraph %d is not always the same", number)
		}
		text := strings.Join(tokens, "")
		body, ended := strings.CutSuffix(text, ".\n\n")
		if !ended || strings.Count(text, ".") != paragraphSentences || body != strings.TrimSpace(body) || strings.Contains(body, "  ") {
			t.Errorf("paragraph %d: %q", number, text)
		}
		for _, word := range strings.Fields(text) {
			if !strings.Contains(proseText, word) {
				t.Errorf("the word %q is not of the text", word)
			}
		}
		for _, token := range tokens {
			if token == "" || len(token) > tokenBytes+2 {
				t.Errorf("a token is %q", token)
			}
		}
	}
	if slices.Equal(c.paragraph(7, 0), c.paragraph(7, 1)) || slices.Equal(c.paragraph(7, 0), c.paragraph(8, 0)) {
		t.Error("paragraphs are all the same")
	}
}

// told reads a stream, n events of it or all, and returns their data and the last ID.
func told(t *testing.T, p *process, query, after string, n int) (tokens []string, last string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, p.url+"/stream/text?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		request.Header.Set("Last-Event-ID", after)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		t.Fatalf("%s: %s", query, response.Status)
	}
	var data []string
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "id":
			last = value
		case field == "event" && value == "end":
			return tokens, last
		case field == "data":
			data = append(data, value)
		case lines.Text() == "" && data != nil:
			tokens = append(tokens, strings.Join(data, "\n"))
			if data = nil; len(tokens) == n {
				return tokens, last
			}
		}
	}
	t.Fatalf("%s: the stream has no end after %d tokens", query, len(tokens))
	return nil, ""
}

// figuresOf waits until the figures of a run are as wanted.
func figuresOf(t *testing.T, p *process, run string, wanted func(made int, state string) bool) {
	t.Helper()
	var seen string
	tick := time.NewTicker(5 * time.Millisecond) // a process of its own has no other signal
	defer tick.Stop()
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); <-tick.C {
		response, err := http.Get(p.url + "/stream/figures?run=" + run)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		var figures struct {
			Made  int
			State string
		}
		if json.Unmarshal(body, &figures) == nil && wanted(figures.Made, figures.State) {
			return
		}
		seen = string(body)
	}
	t.Errorf("the figures of %s are %s", run, seen)
}

func TestStream(t *testing.T) {
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) { testStream(t, engine) })
	}
}

func testStream(t *testing.T, engine string) {
	p := serve(t, "demo", "--addr", "127.0.0.1:0", "--engine", engine)
	query := func(run string, paragraphs int, pace string) string {
		return fmt.Sprintf("run=%s&seed=7&paragraphs=%d&pace=%s", run, paragraphs, pace)
	}
	var whole []string
	for number := range uint64(3) {
		whole = append(whole, prose().paragraph(7, number)...)
	}

	tokens, last := told(t, p, query("whole", 3, "full"), "", -1)
	if !slices.Equal(tokens, whole) {
		t.Errorf("told %q, want %q", tokens, whole)
	}
	figuresOf(t, p, "whole", func(made int, state string) bool { return made == len(whole) && state == streamFinished })

	// There is nothing behind the last event, nor behind the last token.
	if response, err := http.Get(p.url + "/stream/text?" + query("whole", 3, "full") + "&last_event_id=" + last); err != nil || response.StatusCode != 204 {
		t.Errorf("after the end comes %v %v", response, err)
	} else {
		response.Body.Close()
	}
	if tokens, _ := told(t, p, query("behind", 3, "full"), "3-0", -1); len(tokens) != 0 {
		t.Errorf("after the last token come %q", tokens)
	}

	// One that is cut off again and again.
	tokens, last = nil, ""
	for len(tokens) < len(whole) {
		more, id := told(t, p, query("pieces", 3, "full"), last, 40)
		tokens, last = append(tokens, more...), id
	}
	if !slices.Equal(tokens, whole) {
		t.Errorf("in pieces %q, want %q", tokens, whole)
	}

	// Nobody is there any more, nor would the text ever end.
	told(t, p, query("gone", streamMaxParagraphs, "full"), "", 5)
	figuresOf(t, p, "gone", func(made int, state string) bool { return made >= 5 && state == streamGone })
	told(t, p, query("slow", 3, "reading"), "", 2)
	figuresOf(t, p, "slow", func(made int, state string) bool { return made < 100 && state == streamGone })

	for _, bad := range []string{
		"", "run=a", "run=" + strings.Repeat("a", streamMaxName+1) + "&seed=1&paragraphs=1&pace=full",
		"run=a&seed=-1&paragraphs=1&pace=full", "run=a&seed=1&paragraphs=200001&pace=full", "run=a&seed=1&paragraphs=1&pace=slow",
		"run=a&seed=1&paragraphs=1&pace=full&last_event_id=x", "run=a&seed=1&paragraphs=1&pace=full&last_event_id=0--1", "%",
	} {
		response, err := http.Get(p.url + "/stream/text?" + bad)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 400 {
			t.Errorf("%q: %s", bad, response.Status)
		}
	}
	figuresOf(t, p, "nobody", func(made int, state string) bool { return made == 0 && state == "" })
	http.DefaultClient.CloseIdleConnections()
}

func TestStreamForgetsRuns(t *testing.T) {
	s := newStream()
	first := s.of("first")
	for n := range streamMaxRuns - 1 {
		s.of(fmt.Sprint(n))
	}
	if s.of("first") != first {
		t.Error("forgotten too early")
	}
	s.of("one more")
	if len(s.runs) != streamMaxRuns || len(s.names) != streamMaxRuns || s.of("first") == first {
		t.Errorf("%d runs are kept", len(s.runs))
	}
}
