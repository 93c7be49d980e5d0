package jwt_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/jwt"
)

// A token has one spelling.
func TestSpelling(t *testing.T) {
	v := newVerifier(t, jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: secret}}})
	token := sign(t, "HS256", secret, nil, good(nil))
	head, rest, _ := strings.Cut(token, ".")
	body, code, _ := strings.Cut(rest, ".")
	for what, other := range map[string]string{
		"a line behind it":     token + "\n",
		"a line before it":     "\n" + token,
		"a line in the head":   head[:4] + "\r\n" + head[4:] + "." + rest,
		"a line in the claims": head + "." + body[:4] + "\n" + body[4:] + "." + code,
		"a line in the code":   head + "." + body + "." + code[:4] + "\r" + code[4:],
		"a space behind it":    token + " ",
		"a tab before it":      "\t" + token,
		"NUL behind it":        token + "\x00",
		"padding":              token + "=",
		"padding inside":       head + "=." + rest,
		"the other alphabet":   strings.NewReplacer("-", "+", "_", "/").Replace(token) + "+",
		"stray bits":           respell(token),
		"a dot behind it":      token + ".",
		"another case":         strings.ToUpper(token),
		"Bearer":               "Bearer " + token,
	} {
		if _, err := v.Verify(other); why(err) == "" {
			t.Errorf("%s: it passes", what)
		}
	}
	for _, c := range []struct {
		query, field string
		good         bool
	}{
		{"token=" + token, "", true}, {"token=" + token + "%0A", "", false}, {"token=+" + token, "", false},
		{"", "Bearer " + token, true}, {"", "bearer   " + token, true}, {"", "Bearer " + token + "\t", false}, {"", "Bearer \t" + token, false}, {"", "Bearer \u00a0" + token, false},
	} {
		var fields []asgi.Header
		if c.field != "" {
			fields = append(fields, asgi.Header{Name: "authorization", Value: c.field})
		}
		scope := asgitest.HTTPScope("GET", "/?"+c.query, fields...)
		if _, err := v.Authenticate(scope, hub.TokenOf(scope)); (err == nil) != c.good {
			t.Errorf("%q, %q: %v", c.query, c.field, err)
		}
	}
}

func why(err error) string {
	if err == nil {
		return ""
	}
	return hub.AsError(err).Text
}

// A claim of another type is refused with the reason.
func TestClaims(t *testing.T) {
	v := newVerifier(t, jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: secret}}})
	exp := strconv.FormatInt(now.Add(time.Hour).Unix(), 10)
	for claims, reason := range map[string]string{
		`{"exp":` + exp + `}`:                              "",
		`{"exp":` + exp + `.5}`:                            "",
		`{"exp":1.7900036e9}`:                              "",
		`{"exp":` + exp + `,"iat":1789999999.25,"nbf":0}`:  "",
		`{"exp":` + exp + `,"sub":null,"channels":null}`:   "",
		`{"exp":` + exp + `,"aud":["a","b"]}`:              "",
		`{"exp":` + exp + `,"SUB":7,"Channels":7}`:         "", // others' claims
		`{"EXP":` + exp + `}`:                              "all it must",
		`{"exp":"` + exp + `"}`:                            "exp must be a number",
		`{"exp":null}`:                                     "exp must be a number",
		`{"exp":true}`:                                     "exp must be a number",
		`{"exp":[` + exp + `]}`:                            "exp must be a number",
		`{"exp":-1}`:                                       "exp must be a number",
		`{"exp":1e300}`:                                    "exp must be a number",
		`{"exp":253402300800}`:                             "exp must be a number",
		`{"exp":1e999}`:                                    "too large",
		`{"exp":NaN}`:                                      "no token",
		`{"exp":` + exp + `,"nbf":"0"}`:                    "nbf must be a number",
		`{"exp":` + exp + `,"iat":"0"}`:                    "iat must be a number",
		`{"exp":` + exp + `,"iat":-5}`:                     "iat must be a number",
		`{"exp":` + exp + `,"sub":7}`:                      "sub must be a text",
		`{"exp":` + exp + `,"sub":["ada"]}`:                "sub must be a text",
		`{"exp":` + exp + `,"iss":7}`:                      "iss must be a text",
		`{"exp":` + exp + `,"aud":7}`:                      "aud must be a text or a list",
		`{"exp":` + exp + `,"channels":[]}`:                "channels must be an object",
		`{"exp":` + exp + `,"channels":{"subscribe":"a"}}`: "channels.subscribe must be a list",
		`{"exp":` + exp + `,"channels":{"publish":[7]}}`:   "channels.publish must be a list",
		`{"exp":` + exp + `,"sub":"ada","sub":"eve"}`:      "twice",
		`{"exp":` + exp + `,"sub":"ada","s\u0075b":"eve"}`: "twice",
		`{"exp":` + exp + `,"sub":"\ud800"}`:               "surrogate",
		"{\"exp\":" + exp + ",\"sub\":\"\xff\"}":           "UTF-8",
		`{"exp":` + exp + `,"info":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`: "deeper",
		`7`: "no object",
	} {
		who, err := v.Verify(forge(`{"alg":"HS256"}`, claims, secret))
		if got := why(err); (reason == "") != (got == "") || !strings.Contains(got, reason) {
			t.Errorf("%.100s: %q, want %q", claims, got, reason)
		}
		if err == nil && who.User != "" {
			t.Errorf("%s: %q", claims, who.User)
		}
	}
}

// What is deep, wide and long is refused with the reason where a bound is passed, and
// read like any other just below it.
func TestBounds(t *testing.T) {
	v := newVerifier(t, jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: secret}}})
	const hs = `{"alg":"HS256"}`
	exp := `{"exp":` + strconv.FormatInt(now.Add(time.Hour).Unix(), 10)
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	sized := func(n int) string { // a token of n bytes; not every n is the length of one
		signed := n - len(forge("", "", secret)) + len(".")
		claims := base64.RawURLEncoding.DecodedLen(signed - len(".") - base64.RawURLEncoding.EncodedLen(len(hs)))
		return forge(hs, exp+`,"x":"`+strings.Repeat("a", claims-len(exp)-len(`,"x":""}`))+`"}`, secret)
	}
	for what, c := range map[string]struct{ token, reason string }{
		"a long token":               {sized(8 << 10), ""},
		"a longer one":               {sized(8<<10 + 4), "too long"},
		"a deep head":                {forge(`{"alg":"HS256","jwk":`+nested(63)+`}`, exp+`}`, secret), ""},
		"a deeper one":               {forge(`{"alg":"HS256","jwk":`+nested(64)+`}`, exp+`}`, secret), "nested deeper than 64"},
		"one without end":            {forge(strings.Repeat("[", 4<<10), exp+`}`, secret), "nested deeper than 64"},
		"a head with a key twice":    {forge(`{"alg":"none","alg":"HS256"}`, exp+`}`, secret), "twice"},
		"a head of half a character": {forge(`{"alg":"HS256","kid":"\ud800"}`, exp+`}`, secret), "surrogate"},
		"a head behind a head":       {forge(hs+hs, exp+`}`, secret), "no JSON"},
		"a wide head":                {forge(`{"alg":"HS256"`+numbered(`,"k%d":0`, 400)+`}`, exp+`}`, secret), ""},
		"deep claims":                {forge(hs, exp+`,"info":`+nested(64)+`}`, secret), ""},
		"deeper ones":                {forge(hs, exp+`,"info":`+nested(65)+`}`, secret), "nested deeper"},
		"much deeper ones":           {forge(hs, exp+`,"info":`+nested(2000)+`}`, secret), "nested deeper"},
		"claims without end":         {forge(hs, strings.Repeat(`{"a":`, 1<<10), secret), "no token"},
		"many claims":                {forge(hs, exp+numbered(`,"k%d":0`, 500)+`}`, secret), ""},
		"many channels":              {forge(hs, exp+`,"channels":{"subscribe":["a"`+strings.Repeat(`,"a"`, 1300)+`]}}`, secret), ""},
		"many audiences":             {forge(hs, exp+`,"aud":["a"`+strings.Repeat(`,"a"`, 1300)+`]}`, secret), ""},
		"a long number":              {forge(hs, `{"exp":1`+strings.Repeat("0", 5000)+`}`, secret), "too large"},
		"a long fraction":            {forge(hs, exp+`.`+strings.Repeat("1", 5000)+`}`, secret), ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := v.Verify(c.token)
		runtime.ReadMemStats(&after)
		if got := why(err); (c.reason == "") != (got == "") || !strings.Contains(got, c.reason) {
			t.Errorf("%s: %q, want %q", what, got, c.reason)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(32*len(c.token)+32<<10) {
			t.Errorf("%s: %d bytes for a token of %d", what, took, len(c.token))
		}
	}
	if n := len(sized(8 << 10)); n != 8<<10 {
		t.Errorf("the long token has %d bytes", n)
	}
}

// numbered is n parts, each with its number for %d.
func numbered(part string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, part, i)
	}
	return b.String()
}

// Verify says when an identity was proven: by iat, and without it before everything.
func TestProven(t *testing.T) {
	v := newVerifier(t, jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: secret}}})
	for iat, want := range map[any]int64{nil: 0, now.Unix() - 5: now.Unix() - 5, json.Number("1789999990.9"): 1789999990} {
		who, err := v.Verify(sign(t, "HS256", secret, nil, good(object{"iat": iat})))
		if err != nil || who.Proven.IsZero() || who.Proven.Unix() != want {
			t.Errorf("iat %v: %v, %v", iat, who.Proven, err)
		}
	}
}
