package longpoll

import (
	"net/url"
	"slices"
	"testing"
)

var queries = []string{
	"", "ch=a", "ch=a,b&ch=c&cursor=x_-y", "ch=a&ch=", "ch", "&&ch=a&", "=a", "=", "ch=a&cursor=1&cursor=2", "cursor=&cursor=2",
	"sid=a%20b+c", "s%69d=x", "sid=%", "%zz=a", "sid=%zz", "other=%zz&ch=a", "ch=a;b", "a;b=c", "ch=a=b", "after=e:5,f:%31&last=1&limit=2&wait=3&strict=1",
	"wait=1&wait=%zz", "ch=%00%ff", "token=a&ch=b",
}

// A query means what it means to package net/url.
func FuzzSplit(f *testing.F) {
	for _, query := range queries {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := url.ParseQuery(s)
		q, ok := split(s)
		if ok != (err == nil) {
			t.Fatalf("%q: %v, want %v", s, ok, err)
		}
		if !ok {
			return
		}
		if !slices.Equal(q.channels, want["ch"]) {
			t.Errorf("%q: channels %q, want %q", s, q.channels, want["ch"])
		}
		for _, name := range []string{"cursor", "after", "last", "limit", "wait", "sid", "strict"} {
			if p := q.named(name); p.value != want.Get(name) || p.given != want.Has(name) {
				t.Errorf("%q: %s is %v, want %q", s, name, *p, want[name])
			}
		}
	})
}
