package jwt

import (
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	gojwt "github.com/golang-jwt/jwt/v5"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/jsontext"
)

// Verifier knows which tokens are good.
//
// Safe for concurrent use: immutable.
type Verifier struct {
	config Config
	keys   []key
	parser *gojwt.Parser
}

// New returns a verifier, or an error that says which key is not good enough.
func New(config Config) (*Verifier, error) {
	c, keys, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, k := range keys {
		names = append(names, k.algorithm)
	}
	options := []gojwt.ParserOption{
		gojwt.WithValidMethods(names),
		gojwt.WithExpirationRequired(),
		gojwt.WithIssuedAt(),
		gojwt.WithLeeway(c.Leeway),
		gojwt.WithTimeFunc(c.Now),
		gojwt.WithStrictDecoding(), // one token, one spelling: see also foreign
	}
	if c.Audience != "" {
		options = append(options, gojwt.WithAudience(c.Audience))
	}
	if c.Issuer != "" {
		options = append(options, gojwt.WithIssuer(c.Issuer))
	}
	return &Verifier{config: c, keys: keys, parser: gojwt.NewParser(options...)}, nil
}

// LongestLife is how long a token can be good after it was issued: Config.MaxAge, and
// Config.Leeway for the clock of its issuer and for ours. Without a bound it is the
// longest Duration. A hub that remembers for longer whom it has shut out
// ([hub.Config].RevocationAge) never lets a token of before in again.
func (v *Verifier) LongestLife() time.Duration {
	const longest = time.Duration(math.MaxInt64)
	if v.config.MaxAge < 0 || v.config.MaxAge > longest-2*v.config.Leeway {
		return longest
	}
	return v.config.MaxAge + 2*v.config.Leeway
}

// Authenticate is a [hub.Authenticate]: see Verify.
func (v *Verifier) Authenticate(_ *asgi.Scope, token string) (hub.Identity, error) {
	return v.Verify(token)
}

// Verify returns whom a token lets in. An error is a *[hub.Error] with the code
// TokenExpired if the token was good once, and else BadToken.
//
// The identity expires when the token does, by the clock that is furthest behind.
func (v *Verifier) Verify(token string) (hub.Identity, error) {
	if token == "" {
		return hub.Identity{}, bad("a token is needed")
	}
	if len(token) > v.config.MaxTokenBytes {
		return hub.Identity{}, bad("the token is too long")
	}
	if strings.ContainsFunc(token, foreign) {
		return hub.Identity{}, bad("this is no token: it has characters that none has")
	}
	if err := checkHead(token); err != nil {
		return hub.Identity{}, err
	}
	var c claims
	if _, err := v.parser.ParseWithClaims(token, &c, v.keysFor); err != nil {
		return hub.Identity{}, refusal(err)
	}
	who := hub.Identity{
		User:    c.Subject,
		Expires: c.ExpiresAt.Add(v.config.Leeway),
		Proven:  time.Unix(0, 0), // without iat: nobody knows, and so before everything
		Grants: hub.Grants{
			Subscribe: slices.Concat(v.config.Grants.Subscribe, c.channels.subscribe),
			Publish:   slices.Concat(v.config.Grants.Publish, c.channels.publish),
			Presence:  slices.Concat(v.config.Grants.Presence, c.channels.presence),
		},
	}
	issued := v.config.Now() // without iat: the life that is left is bounded still
	if c.IssuedAt != nil {
		who.Proven = c.IssuedAt.Time
		if who.Proven.Before(issued) {
			issued = who.Proven
		}
	}
	if string(c.info) != "null" {
		who.Info = c.info
	}
	switch {
	case who.Expires.Sub(issued) > v.LongestLife():
		return hub.Identity{}, bad("the token is good for longer than tokens may be")
	case !patterns(c.channels.subscribe) || !patterns(c.channels.publish) || !patterns(c.channels.presence):
		return hub.Identity{}, bad("the token names what is no channel and no pattern")
	}
	return who, nil
}

// checkHead refuses a head that is nested deep, or that two readers take for different
// things, before the library reads it: it is read before anybody has proven anything.
func checkHead(token string) error {
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(head)
	if err == nil {
		err = jsontext.Check(text, jsontext.MaxDepth)
	}
	if err != nil {
		return bad("this is no token: its head: " + err.Error())
	}
	return nil
}

// foreign reports whether a token has no such character. Decoders of base64 skip ends
// of lines, so that one token would have many spellings
// (https://www.rfc-editor.org/rfc/rfc7515#section-2).
func foreign(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// keysFor returns the keys for a token: those for its algorithm, and of these for
// its kid, if it has one.
func (v *Verifier) keysFor(t *gojwt.Token) (any, error) {
	// What is critical must be understood, and nothing of it is
	// (https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11).
	if _, critical := t.Header["crit"]; critical {
		return nil, errors.New("crit")
	}
	kid, named := "", false
	if value, there := t.Header["kid"]; there {
		if kid, named = value.(string); !named {
			return nil, errors.New("kid is no text")
		}
	}
	var set gojwt.VerificationKeySet
	for _, k := range v.keys {
		if k.algorithm == t.Method.Alg() && (!named || k.id == "" || k.id == kid) {
			set.Keys = append(set.Keys, k.value)
		}
	}
	return set, nil // an empty set is an error
}

// patterns reports whether each of a list is a channel or a pattern.
func patterns(list []string) bool {
	return !slices.ContainsFunc(list, func(p string) bool {
		return p != "*" && !hub.ValidChannel(strings.TrimSuffix(p, "*"))
	})
}

func bad(text string) *hub.Error { return &hub.Error{Code: hub.BadToken, Text: text} }

// refusals are what clients are told of the library's errors: the first that fits. A
// token that is expired and has another fault besides is not good once more when it
// is renewed.
var refusals = []struct {
	err  error
	says *hub.Error
}{
	{gojwt.ErrTokenMalformed, bad("this is no token")},
	{gojwt.ErrTokenUnverifiable, bad("the token is not signed by a key of ours")},
	{gojwt.ErrTokenSignatureInvalid, bad("the token is not signed by a key of ours")},
	{gojwt.ErrTokenRequiredClaimMissing, bad("the token does not say all it must")},
	{gojwt.ErrTokenInvalidAudience, bad("the token is for another audience")},
	{gojwt.ErrTokenInvalidIssuer, bad("the token is of another issuer")},
	{gojwt.ErrTokenNotValidYet, bad("the token is not good yet")},
	{gojwt.ErrTokenUsedBeforeIssued, bad("the token is not good yet")},
	{gojwt.ErrTokenExpired, &hub.Error{Code: hub.TokenExpired, Text: "the token has expired"}},
}

func refusal(err error) *hub.Error {
	var own *hub.Error
	if errors.As(err, &own) {
		return own
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.says
		}
	}
	return bad("the token is not good")
}
