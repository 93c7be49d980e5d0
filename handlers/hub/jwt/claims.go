package jwt

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	gojwt "github.com/golang-jwt/jwt/v5"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/jsontext"
)

// claims are what a token says, as far as it counts.
type claims struct {
	gojwt.RegisteredClaims
	info     json.RawMessage
	channels struct{ subscribe, publish, presence []string }
}

// UnmarshalJSON reads claims. Their names are compared as they are, upper case and all
// (https://www.rfc-editor.org/rfc/rfc7519#section-10.1.1), and each has one type; package
// json would take "EXP" for exp, and a text for a number. Errors are *hub.Error.
func (c *claims) UnmarshalJSON(p []byte) error {
	if err := jsontext.Check(p, jsontext.MaxDepth+1); err != nil {
		return bad("the token's claims: " + err.Error())
	}
	var all, channels map[string]json.RawMessage
	if json.Unmarshal(p, &all) != nil {
		return bad("the token's claims are no object")
	}
	r := reader{claims: all}
	c.Subject = r.text("sub")
	c.Issuer = r.text("iss")
	r.read("aud", "a text or a list of texts", &c.Audience)
	c.ExpiresAt, c.NotBefore, c.IssuedAt = r.date("exp"), r.date("nbf"), r.date("iat")
	c.info = all["info"]
	r.read("channels", "an object", &channels)
	r.claims, r.prefix = channels, "channels."
	r.read("subscribe", "a list of texts", &c.channels.subscribe)
	r.read("publish", "a list of texts", &c.channels.publish)
	r.read("presence", "a list of texts", &c.channels.presence)
	if r.wrong != nil {
		return r.wrong
	}
	return nil
}

// reader reads single claims, and keeps the first error.
type reader struct {
	claims map[string]json.RawMessage
	prefix string
	wrong  *hub.Error
}

// read reads a claim, if it is there, which null is not.
func (r *reader) read(name, kind string, value any) (there bool) {
	raw, there := r.claims[name]
	if !there || string(raw) == "null" {
		return false
	}
	if json.Unmarshal(raw, value) != nil {
		r.refuse(name, kind)
		return false
	}
	return true
}

func (r *reader) refuse(name, kind string) {
	if r.wrong == nil {
		r.wrong = bad("the token's " + r.prefix + name + " must be " + kind)
	}
}

func (r *reader) text(name string) (text string) {
	r.read(name, "a text", &text) // a sub of 7 and one of "7" would be the same user, or not
	return text
}

// lastDate is the end of the year 9999, beyond which dates are written otherwise.
const lastDate = 253402300799

// date reads a NumericDate (https://www.rfc-editor.org/rfc/rfc7519#section-2).
func (r *reader) date(name string) *gojwt.NumericDate {
	const kind = "a number of seconds since 1970"
	var seconds float64
	if raw := r.claims[name]; strings.HasPrefix(string(raw), "n") {
		r.refuse(name, kind) // null is no date, and not as good as none
		return nil
	}
	if !r.read(name, kind, &seconds) {
		return nil
	}
	if seconds < 0 || seconds > lastDate {
		r.refuse(name, kind+", until the year 9999")
		return nil
	}
	whole, part := math.Modf(seconds)
	return gojwt.NewNumericDate(time.Unix(int64(whole), int64(part*1e9)))
}
