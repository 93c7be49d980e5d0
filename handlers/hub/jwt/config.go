package jwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gale-server/gale/handlers/hub"
)

// Config says which tokens are good. The zero value of every field but Keys is a
// safe default.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Keys are what tokens may be signed with; several, so that they can be
	// replaced one after the other. Required.
	Keys []Key

	// Audience must be among those of a token (aud), and Issuer its issuer (iss).
	// Default: neither is looked at. They belong here if the keys are used for
	// anything else.
	Audience string
	Issuer   string

	// Grants are what every token allows beside its own channels. Default:
	// nothing.
	Grants hub.Grants

	// Leeway is how far clocks may be apart. Default 10 s. Negative: none.
	Leeway time.Duration

	// MaxAge bounds how long a token may be good after iat, or, if it has none, from
	// now on: one that is good for years cannot be taken back. Default 24 h.
	// Negative: no bound. Then a token may outlive the time for which a hub
	// remembers whom it has shut out, and lets its user in again: set
	// hub.Config.RevocationAge to the longest life of your tokens.
	MaxAge time.Duration

	// MaxTokenBytes bounds a token, in bytes. All that is in it is bounded so: the
	// claims, the names of channels. Default 8 KiB: what fits in a head with other
	// fields. A negative value is an error.
	MaxTokenBytes int

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Key is what tokens are checked with: a secret for HS256, HS384 and HS512, and a
// public key for RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and
// EdDSA (Ed25519).
type Key struct {
	// ID is the kid of tokens that this key is for; those without a kid are
	// checked with every key for their algorithm, and keys without an ID are for
	// every kid.
	ID string

	// Algorithm is the one that the key is for. Required.
	Algorithm string

	Secret []byte           // not shorter than the hash: 32, 48 or 64 bytes
	Public crypto.PublicKey // *rsa.PublicKey of 2048 bits or more, *ecdsa.PublicKey or ed25519.PublicKey
}

// ParsePublicKey reads a public key, or that of a certificate, from PEM. A private
// key is refused: it does not belong to a server that only checks.
func ParsePublicKey(text []byte) (crypto.PublicKey, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("jwt: this is no key in PEM, which begins with -----BEGIN PUBLIC KEY-----")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("jwt: there is more than one key")
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, errors.New("jwt: this is a private key; what checks tokens needs the public one only")
		}
		return nil, fmt.Errorf("jwt: %q is no public key", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	return key, nil
}

// algorithms says what key each algorithm needs. The least sizes are those of
// https://www.rfc-editor.org/rfc/rfc7518#section-3.2, 3.3 and 3.4.
var algorithms = map[string]func(Key) (any, error){
	"HS256": secretOf(32), "HS384": secretOf(48), "HS512": secretOf(64),
	"RS256": rsaKey, "RS384": rsaKey, "RS512": rsaKey,
	"PS256": rsaKey, "PS384": rsaKey, "PS512": rsaKey,
	"ES256": curve(elliptic.P256()), "ES384": curve(elliptic.P384()), "ES512": curve(elliptic.P521()),
	"EdDSA": edKey,
}

func secretOf(least int) func(Key) (any, error) {
	return func(k Key) (any, error) {
		switch {
		case k.Public != nil:
			return nil, errors.New("it needs a secret, not a public key")
		case bytes.Contains(k.Secret, []byte("-----BEGIN ")):
			return nil, errors.New("its secret is a key in PEM, which others may know")
		case len(k.Secret) < least:
			return nil, fmt.Errorf("its secret has %d bytes, and needs %d (RFC 7518, section 3.2)", len(k.Secret), least)
		}
		return slices.Clone(k.Secret), nil
	}
}

func rsaKey(k Key) (any, error) {
	public, ok := k.Public.(*rsa.PublicKey)
	if !ok || k.Secret != nil {
		return nil, errors.New("it needs an RSA public key")
	}
	if n := public.N.BitLen(); n < 2048 {
		return nil, fmt.Errorf("its key has %d bits, and needs 2048 (RFC 7518, section 3.3)", n)
	}
	return public, nil
}

func curve(want elliptic.Curve) func(Key) (any, error) {
	return func(k Key) (any, error) {
		public, ok := k.Public.(*ecdsa.PublicKey)
		if !ok || k.Secret != nil || public.Curve != want {
			return nil, fmt.Errorf("it needs a public key on the curve %s", want.Params().Name)
		}
		return public, nil
	}
}

func edKey(k Key) (any, error) {
	public, ok := k.Public.(ed25519.PublicKey)
	if !ok || k.Secret != nil || len(public) != ed25519.PublicKeySize {
		return nil, errors.New("it needs an Ed25519 public key")
	}
	return public, nil
}

// key is a Key that is good.
type key struct {
	id, algorithm string
	value         any // for the library
}

// withDefaults returns c with every default put in, and its keys.
func (c Config) withDefaults() (Config, []key, error) {
	if len(c.Keys) == 0 {
		return c, nil, errors.New("jwt: Config.Keys is empty: nobody could come in")
	}
	keys := make([]key, 0, len(c.Keys))
	for i, k := range c.Keys {
		make, ok := algorithms[k.Algorithm]
		if !ok {
			return c, nil, fmt.Errorf("jwt: Config.Keys[%d]: there is no algorithm %q", i, k.Algorithm)
		}
		value, err := make(k)
		if err != nil {
			return c, nil, fmt.Errorf("jwt: Config.Keys[%d]: %s: %w", i, k.Algorithm, err)
		}
		keys = append(keys, key{k.ID, k.Algorithm, value})
	}
	if c.MaxTokenBytes < 0 {
		return c, nil, errors.New("jwt: Config.MaxTokenBytes is negative")
	}
	if c.Leeway == 0 {
		c.Leeway = 10 * time.Second
	}
	c.Leeway = max(c.Leeway, 0)
	if c.MaxAge == 0 {
		c.MaxAge = 24 * time.Hour
	}
	if c.MaxTokenBytes == 0 {
		c.MaxTokenBytes = 8 << 10
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, keys, nil
}
