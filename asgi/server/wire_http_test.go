package server_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi/internal/h1spec"
	"github.com/gale-server/gale/asgi/internal/smuggling"
	"github.com/gale-server/gale/internal/longtest"
)

// probe is a request behind a case: it is answered if the case left the
// connection open, and never if it was refused.
const probe = "GET /probe HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"

// wireAnswer is one final response.
type wireAnswer struct {
	status int
	saw    string // what the application saw; "" if the server answered itself
	body   string
	last   bool // the server says that it will close
}

// answer reads one final response, or returns io.EOF.
func (p *wirePeer) answer() (wireAnswer, error) {
	for {
		if _, err := p.r.Peek(1); err != nil {
			return wireAnswer{}, err
		}
		res, err := http.ReadResponse(p.r, nil)
		if err != nil {
			return wireAnswer{}, errors.New("response: " + err.Error())
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return wireAnswer{}, errors.New("response body: " + err.Error())
		}
		if res.StatusCode >= 200 {
			return wireAnswer{res.StatusCode, res.Header.Get("X-Saw"), string(body), res.Close}, nil
		}
	}
}

// answers reads until the server ends the stream.
func (p *wirePeer) answers() (all []wireAnswer) {
	p.t.Helper()
	for {
		a, err := p.answer()
		if err == io.EOF {
			return all
		}
		if err != nil {
			p.t.Fatalf("after %v: %v", all, err)
		}
		all = append(all, a)
	}
}

func (p *wirePeer) wantAnswer(saw, body string) {
	p.t.Helper()
	a, err := p.answer()
	if err != nil || a.status != 200 || a.saw != saw || a.body != body {
		p.t.Fatalf("got %v, %v, want 200 for %q with %q", a, err, saw, body)
	}
}

// wantRefused checks that there is one answer, of the server itself, which
// closes.
func wantRefused(t *testing.T, got []wireAnswer, status int) {
	t.Helper()
	if len(got) != 1 || got[0].status != status || got[0].saw != "" || !got[0].last {
		t.Fatalf("got %v, want only a refusal with %d", got, status)
	}
}

// TestWireH1Spec sends every case whole, and octet by octet with the server
// reading every one of them before the next.
func TestWireH1Spec(t *testing.T) {
	eachForm(t, func(t *testing.T, w *wire, _ wireForm) {
		for _, c := range h1spec.Cases {
			t.Run(c.Name, func(t *testing.T) {
				h1specCase(t, w, c, func(p *wirePeer) { p.write(c.Raw) })
				h1specCase(t, w, c, func(p *wirePeer) {
					for i := range c.Raw {
						p.write(c.Raw[i : i+1])
						w.settle(t)
					}
				})
			})
		}
	})
}

func h1specCase(t *testing.T, w *wire, c h1spec.Case, send func(*wirePeer)) {
	t.Helper()
	p := w.dial(t)
	defer p.close()
	send(p)
	if c.Waits {
		w.settle(t)
		p.wantQuiet(c.Raw)
		p.write(strings.TrimPrefix(h1spec.Fragmented, c.Raw))
		p.wantAnswer("GET /hello", "")
		return
	}
	p.write(probe)
	if c.Status != 0 {
		wantRefused(t, p.answers(), c.Status)
		return
	}
	for _, want := range smuggling.ByNetHTTP([]byte(c.Raw + probe)) {
		p.wantAnswer(want.Method+" "+want.Target, want.Body)
	}
	p.wantEnd()
}

// TestWireDisguises: a disguised framing field is refused with 400 or 501 and
// the connection closed, or it frames the message as it does to net/http; and
// nothing that was smuggled is answered.
func TestWireDisguises(t *testing.T) {
	cases := smuggling.Disguises()
	eachForm(t, func(t *testing.T, w *wire, form wireForm) {
		played, refusals := 0, 0
		plays := form.plays()
		sample := rand.New(rand.NewPCG(uint64(len(form.name)), 1)) // another for each form
		for _, c := range cases {
			if !plays() {
				continue
			}
			played++
			t.Run(c.Name, func(t *testing.T) {
				if disguise(t, w, c, len(c.Raw)) {
					refusals++
				}
				if form.onLoop && (longtest.On() || sample.IntN(4) == 0) {
					disguise(t, w, c, 7) // octets, and whole: the other tests
				}
			})
		}
		if refusals < played/2 {
			t.Errorf("only %d of %d refused", refusals, played)
		}
	})
}

func disguise(t *testing.T, w *wire, c smuggling.Case, size int) (refused bool) {
	t.Helper()
	got, refusal := w.framed(t, c.Raw, size)
	if refusal == nil {
		return false
	}
	if refusal.status != 400 && refusal.status != 501 {
		t.Fatalf("%q\nrefused with %v", c.Raw, refusal)
	}
	for _, a := range got {
		if strings.HasSuffix(a.saw, " "+smuggling.Smuggled) {
			t.Fatalf("%q\nis refused, after what it smuggles was answered: %v", c.Raw, got)
		}
	}
	return true
}

// framed sends raw in pieces and the probe behind it, and checks that what is
// answered is what net/http sees: up to a refusal, an answer that closes, or the
// probe's.
func (w *wire) framed(t *testing.T, raw string, size int) (got []wireAnswer, refusal *wireAnswer) {
	t.Helper()
	p := w.dial(t)
	defer p.close()
	p.chop(raw+probe, size)
	got = p.answers()
	want := smuggling.ByNetHTTP([]byte(raw + probe))
	if n := len(got) - 1; n >= 0 && got[n].saw == "" {
		got, refusal = got[:n], &got[n]
		if !refusal.last {
			t.Fatalf("%q\nrefused with %v, which does not close", raw, refusal)
		}
	}
	open := refusal == nil && (len(got) == 0 || !got[len(got)-1].last)
	if len(got) > len(want) || open && len(got) < len(want) {
		t.Fatalf("%q\nis answered with %v, refusal %v\nto net/http it is %v", raw, got, refusal, want)
	}
	for i, a := range got {
		method, target, _ := strings.Cut(a.saw, " ")
		sameTarget := target == want[i].Target || !strings.HasPrefix(want[i].Target, "/")
		if a.status >= 500 || method != want[i].Method || !sameTarget || a.body != want[i].Body {
			t.Fatalf("%q\nanswer %d is %v\nto net/http the request is %v", raw, i, a, want[i])
		}
	}
	return got, refusal
}

// TestWireCorpora has what other parsers were fooled by.
func TestWireCorpora(t *testing.T) {
	corpora := []struct {
		name  string
		cases []smuggling.Case
	}{{"llhttp", smuggling.Leniencies()}, {"http-garden", smuggling.Garden()}, {"gunicorn", smuggling.Gunicorn()}}
	eachForm(t, func(t *testing.T, w *wire, form wireForm) {
		plays := form.plays()
		for _, corpus := range corpora {
			for _, c := range corpus.cases {
				if !plays() {
					continue
				}
				t.Run(corpus.name+"/"+c.Name, func(t *testing.T) {
					corpusCase(t, w, c, len(c.Raw))
					corpusCase(t, w, c, 1)
				})
			}
		}
	})
}

func corpusCase(t *testing.T, w *wire, c smuggling.Case, size int) {
	t.Helper()
	got, refusal := w.framed(t, c.Raw, size)
	switch {
	case c.Status == 0 && refusal != nil, c.Status != 0 && (refusal == nil || refusal.status != c.Status):
		t.Fatalf("%q\nrefusal %v, want %d", c.Raw, refusal, c.Status)
	case len(got) == c.Requests+1 && c.Status == 0 && got[c.Requests].saw == "GET /probe":
	case len(got) != c.Requests:
		t.Fatalf("%q\nis answered with %v, want %d answers", c.Raw, got, c.Requests)
	}
}
