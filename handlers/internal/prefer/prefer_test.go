package prefer

import (
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

// https://www.rfc-editor.org/rfc/rfc7240#section-2: "Empty or zero-length values
// ... are equivalent to no value being given at all", "If any preference is
// specified more than once, only the first instance is to be considered", and
// what is not understood is ignored.
func TestPreferences(t *testing.T) {
	for _, c := range []struct {
		fields []string
		wait   time.Duration // -1: none
		async  bool
	}{
		{nil, -1, false},
		{[]string{""}, -1, false},
		{[]string{"wait=10"}, 10 * time.Second, false},
		{[]string{"WAIT=10"}, 10 * time.Second, false},
		{[]string{"wait = 10"}, 10 * time.Second, false}, // BWS
		{[]string{`wait="10"`}, 10 * time.Second, false},
		{[]string{"wait=0"}, 0, false},
		{[]string{"wait=007"}, 7 * time.Second, false},
		{[]string{"wait"}, -1, false},
		{[]string{"wait="}, -1, false},
		{[]string{`wait=""`}, -1, false},
		{[]string{`wait="`}, -1, false},
		{[]string{"wait=-1"}, -1, false},
		{[]string{"wait=+1"}, -1, false},
		{[]string{"wait=1.5"}, -1, false},
		{[]string{"wait=ten"}, -1, false},
		{[]string{"wait=99999999999999999999999"}, 9223372036 * time.Second, false},
		{[]string{"respond-async"}, -1, true},
		{[]string{"respond-async, wait=10"}, 10 * time.Second, true},
		{[]string{"Respond-Async,wait=10"}, 10 * time.Second, true},
		{[]string{"respond-async", "wait=10"}, 10 * time.Second, true},
		{[]string{"wait=10;a=b ; c, respond-async;x"}, 10 * time.Second, true},
		{[]string{"wait=1, wait=2"}, time.Second, false},
		{[]string{"wait=1", "wait=2"}, time.Second, false},
		{[]string{"wait=x, wait=2"}, -1, false},
		{[]string{",, ,wait=3,"}, 3 * time.Second, false},
		{[]string{`foo="a, wait=1"; bar, wait=2`}, 2 * time.Second, false},
		{[]string{`foo="a\", wait=1", wait=2`}, 2 * time.Second, false},
		{[]string{`foo="never closed, wait=2`}, -1, false},
		{[]string{`foo=bar\`}, -1, false},
		{[]string{`foo="bar\`}, -1, false},
		{[]string{"await=1, wait-for=2, return=minimal"}, -1, false},
	} {
		var headers []asgi.Header
		for _, f := range c.fields {
			headers = append(headers, asgi.Header{Name: "prefer", Value: f})
		}
		got := Of(asgitest.HTTPScope("GET", "/", headers...))
		if got.HasWait != (c.wait >= 0) || got.HasWait && got.Wait != c.wait || got.RespondAsync != c.async {
			t.Errorf("%q: %+v", c.fields, got)
		}
	}
}

func FuzzPreferences(f *testing.F) {
	f.Add(`respond-async, wait="10"; a="\""`)
	f.Fuzz(func(t *testing.T, field string) {
		p := Of(&asgi.Scope{Headers: []asgi.Header{{Name: "prefer", Value: field}}})
		if p.Wait < 0 || p.Wait > 0 && !p.HasWait {
			t.Errorf("%+v", p)
		}
	})
}
