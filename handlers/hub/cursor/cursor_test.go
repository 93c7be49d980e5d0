package cursor_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
)

var (
	secret = []byte("0123456789abcdef")
	other  = []byte("fedcba9876543210")
	noon   = time.Unix(1_800_000_000, 0)
)

func signer(t testing.TB, secret []byte, previous ...[]byte) *cursor.Signer {
	t.Helper()
	s, err := cursor.New(secret, previous...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sample is a cursor of two channels, not in the order of their names.
func sample() cursor.Cursor {
	return cursor.Cursor{
		Channels: []string{"news", "chat"},
		Places:   []hub.Position{{Epoch: "ABCDEF", Offset: 7}, {Epoch: "IJKLMNOP", Offset: 300}},
		User:     "ann",
		Expires:  noon.Add(time.Minute),
		Proven:   noon.Add(-time.Minute),
	}
}

func code(err error) hub.ErrorCode {
	var e *hub.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestRoundTrip(t *testing.T) {
	s := signer(t, secret)
	for _, c := range []cursor.Cursor{
		sample(),
		{Channels: []string{"a"}, Places: []hub.Position{{}}},
		{Channels: []string{"a"}, Places: []hub.Position{{Epoch: strings.Repeat("e", 200), Offset: math.MaxUint64}}, User: strings.Repeat("ü", 200)},
		{Channels: []string{}, Places: []hub.Position{}, User: "\x00\xff"},
	} {
		token := s.Sign(c)
		got, err := s.Open(token, c.Channels, c.User, noon)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%+v became %+v, %v", c, got, err)
		}
		if got, err = s.Bearer(token, c.Channels, noon); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("to its bearer %+v became %+v, %v", c, got, err)
		}
		if again := s.Sign(c); again != token {
			t.Errorf("%+v has two tokens", c)
		}
		if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%q has other characters than a URL and a field take", token)
		}
	}
}

func TestSize(t *testing.T) {
	token := signer(t, secret).Sign(cursor.Cursor{
		Channels: []string{strings.Repeat("long-", 50)},
		Places:   []hub.Position{{Epoch: "ABCDEFGH", Offset: 2<<20 - 1}},
		User:     "fourteen-bytes",
		Expires:  noon,
	})
	if len(token) > 64 {
		t.Errorf("%d characters", len(token))
	}
}

func TestChannels(t *testing.T) {
	s, c := signer(t, secret), sample()
	token := s.Sign(c)
	got, err := s.Open(token, []string{"chat", "news"}, "ann", noon)
	if err != nil || got.Places[0] != c.Places[1] || got.Places[1] != c.Places[0] || got.Channels[0] != "chat" {
		t.Errorf("in another order: %+v, %v", got, err)
	}
	for _, channels := range [][]string{
		nil, {""}, {"news"}, {"chat"}, {"chat", "news", ""}, {"chat", "news", "x"}, {"chat", "newsx"},
		{"chatnews"}, {"chatn", "ews"}, {"cha", "tnews"}, {"chat", "chat"}, {"news", "news"}, {"chat,news"},
	} {
		if got, err := s.Open(token, channels, "ann", noon); code(err) != hub.BadCursor || got.Places != nil {
			t.Errorf("for %q: %+v, %v", channels, got, err)
		}
	}
}

func TestUser(t *testing.T) {
	s := signer(t, secret)
	for _, user := range []string{"", "ann", "ann\x00", "bob"} {
		c := sample()
		c.User = user
		token := s.Sign(c)
		for _, asking := range []string{"", "ann", "ann\x00", "bob"} {
			for _, now := range []time.Time{noon, noon.Add(time.Hour)} {
				got, err := s.Open(token, c.Channels, asking, now)
				if asking != user && (code(err) != hub.BadCursor || got.Places != nil) {
					t.Errorf("%q has got what is for %q: %+v, %v", asking, user, got, err)
				}
			}
		}
	}
}

func TestExpiry(t *testing.T) {
	s := signer(t, secret)
	for _, tc := range []struct {
		expires time.Time
		now     time.Time
		want    hub.ErrorCode
	}{
		{noon, noon.Add(-time.Second), ""},
		{noon, noon.Add(-1), ""},
		{noon, noon, hub.TokenExpired},
		{noon, noon.Add(1000 * time.Hour), hub.TokenExpired},
		{noon.Add(999 * time.Millisecond), noon, hub.TokenExpired}, // of the second it is in
		{time.Time{}, noon.AddDate(200, 0, 0), ""},
		{time.Unix(-5, 0), noon, hub.TokenExpired},
		{time.Unix(0, 0), noon, hub.TokenExpired},
		{noon.AddDate(500, 0, 0), noon.AddDate(50, 0, 0), ""},
		{noon.AddDate(500, 0, 0), noon.AddDate(100, 0, 0), hub.TokenExpired}, // beyond what a token holds
	} {
		c := sample()
		c.Expires = tc.expires
		token := s.Sign(c)
		got, err := s.Open(token, c.Channels, "ann", tc.now)
		if code(err) != tc.want {
			t.Errorf("expires %v, at %v: %v", tc.expires, tc.now, err)
		}
		if !reflect.DeepEqual(got.Places, c.Places) { // also when expired: whoever is let in anew goes on
			t.Errorf("expires %v, at %v: the places are %v", tc.expires, tc.now, got.Places)
		}
	}
}

func TestSecrets(t *testing.T) {
	c := sample()
	old := signer(t, other).Sign(c)
	s := signer(t, secret, other)
	if got, err := s.Open(old, c.Channels, "ann", noon); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("the previous secret: %+v, %v", got, err)
	}
	if s.Sign(c) == old || s.Sign(c) != signer(t, secret).Sign(c) {
		t.Error("it does not sign with the first secret")
	}
	if _, err := signer(t, secret).Open(old, c.Channels, "ann", noon); code(err) != hub.BadCursor {
		t.Errorf("another secret: %v", err)
	}
	for _, secrets := range [][][]byte{{nil}, {secret[:15]}, {secret, nil}, {secret, other[:15]}} {
		if s, err := cursor.New(secrets[0], secrets[1:]...); err == nil || s != nil {
			t.Errorf("%q: %v", secrets, err)
		}
	}
}

// Every change of one bit, every prefix and some of what decoders let pass.
func TestForged(t *testing.T) {
	s, c := signer(t, secret), sample()
	token := s.Sign(c)
	p, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, token string) {
		t.Helper()
		for _, now := range []time.Time{noon, noon.Add(time.Hour)} {
			if got, err := s.Open(token, c.Channels, "ann", now); code(err) != hub.BadCursor || got.Places != nil {
				t.Errorf("%s: %+v, %v", what, got, err)
			}
		}
	}
	for i := range len(p) * 8 {
		p[i/8] ^= 1 << (i % 8)
		refused(fmt.Sprint("bit ", i), base64.RawURLEncoding.EncodeToString(p))
		p[i/8] ^= 1 << (i % 8)
	}
	for i := range p {
		refused(fmt.Sprint(i, " bytes"), base64.RawURLEncoding.EncodeToString(p[:i]))
		refused(fmt.Sprint(i, " characters"), token[:i])
	}
	refused("a byte more", base64.RawURLEncoding.EncodeToString(append(p, 0)))
	refused("padding", token+"=")
	refused("a line", token+"\n")
	refused("a line inside", token[:8]+"\r\n"+token[8:])
	refused("another alphabet", token[:8]+"+"+token[9:])
	refused("long", strings.Repeat("A", 16<<10+4))
	if len(token)%4 != 0 { // the last character has bits that mean nothing: they must be zero
		last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", token[len(token)-1])
		refused("stray bits", token[:len(token)-1]+string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1]))
	} else {
		t.Error("the sample has no stray bits: choose another epoch")
	}
}

func TestSignPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("two channels with one place have a token")
		}
	}()
	c := sample()
	c.Places = c.Places[:1]
	signer(t, secret).Sign(c)
}

func TestConcurrent(t *testing.T) {
	s := signer(t, secret, other)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				c := sample()
				c.Places[0].Offset = uint64(g*1000 + i)
				got, err := s.Open(s.Sign(c), c.Channels, "ann", noon)
				if err != nil || got.Places[0] != c.Places[0] {
					t.Errorf("%+v, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzOpen: whatever comes, it is refused in good order, or it is what Sign
// makes of what it stands for.
func FuzzOpen(f *testing.F) {
	s := signer(f, secret)
	c := sample()
	f.Add(s.Sign(c), "news", "chat")
	f.Add(s.Sign(c), "chat", "news")
	f.Add("", "a", "b")
	f.Add("AQAAAAAA", "a", "a")
	f.Fuzz(func(t *testing.T, token, a, b string) {
		got, err := s.Bearer(token, []string{a, b}, noon)
		switch code(err) {
		case "":
			if err != nil {
				t.Fatalf("%v is no error for clients", err)
			}
			fallthrough
		case hub.TokenExpired:
			if again := s.Sign(got); again != token {
				t.Errorf("%q is signed as %q", token, again)
			}
		case hub.BadCursor:
			if got.Places != nil {
				t.Errorf("%q was refused and read: %+v", token, got)
			}
		default:
			t.Errorf("%v", err)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	s, c := signer(b, secret), sample()
	b.ReportAllocs()
	for b.Loop() {
		s.Sign(c)
	}
}

func BenchmarkOpen(b *testing.B) {
	s, c := signer(b, secret), sample()
	token := s.Sign(c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Open(token, c.Channels, "ann", noon); err != nil {
			b.Fatal(err)
		}
	}
}
