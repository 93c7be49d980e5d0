package jwt_test

import (
	"encoding/json"
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
