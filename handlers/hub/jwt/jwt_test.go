package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gojwt "github.com/golang-jwt/jwt/v5"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/jwt"
)

// now is when the tests are.
var now = time.Unix(1_790_000_000, 0)

// secret is good for every HS algorithm.
var secret = []byte(strings.Repeat("correct horse battery staple ", 3))

// pairs are key pairs, by algorithm, made once.
var pairs = sync.OnceValue(func() map[string]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	all := map[string]crypto.Signer{"RS256": rsaKey, "RS384": rsaKey, "RS512": rsaKey, "PS256": rsaKey, "PS384": rsaKey, "PS512": rsaKey}
	for name, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		if all[name], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			panic(err)
		}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	all["EdDSA"] = ed
	return all
})

type object = map[string]any

// good are claims that are.
func good(change object) object {
	claims := object{"sub": "ada", "exp": now.Add(time.Hour).Unix()}
	for name, value := range change {
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
	}
	return claims
}

// sign signs claims with a key of the library.
func sign(t testing.TB, algorithm string, key any, header, claims object) string {
	t.Helper()
	token := gojwt.NewWithClaims(gojwt.GetSigningMethod(algorithm), gojwt.MapClaims(claims))
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// forge makes a token of any header and claims, with HMAC SHA-256 by any key.
func forge(header, claims string, key []byte) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func newVerifier(t testing.TB, config jwt.Config) *jwt.Verifier {
	t.Helper()
	if config.Keys == nil {
		config.Keys = []jwt.Key{{Algorithm: "HS256", Secret: secret}}
	}
	config.Now = func() time.Time { return now }
	v, err := jwt.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// code is that of an error, "" for none.
func code(t testing.TB, err error) hub.ErrorCode {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *hub.Error
	if !errors.As(err, &e) || e.Text == "" {
		t.Fatalf("the error is %#v", err)
	}
	return e.Code
}

func TestIdentity(t *testing.T) {
	v := newVerifier(t, jwt.Config{Grants: hub.Grants{Subscribe: []string{"news"}}})
	who, err := v.Authenticate(nil, sign(t, "HS256", secret, nil, good(object{
		"info": object{"name": "Ada"},
		"channels": object{
			"subscribe": []string{"chat:*", "a"}, "publish": []string{"chat:7"}, "presence": []string{"*"},
		},
	})))
	if err != nil {
		t.Fatal(err)
	}
	if who.User != "ada" || string(who.Info) != `{"name":"Ada"}` || !who.Expires.Equal(now.Add(time.Hour+10*time.Second)) ||
		fmt.Sprint(who.Grants) != "{[news chat:* a] [chat:7] [*]}" {
		t.Errorf("got %+v", who)
	}
	who, err = v.Verify(sign(t, "HS256", secret, nil, good(object{"sub": nil, "info": json.RawMessage("null")})))
	if err != nil || who.User != "" || who.Info != nil || fmt.Sprint(who.Grants) != "{[news] [] []}" {
		t.Errorf("a token that says little: %+v, %v", who, err)
	}
}

// Each algorithm is checked with its key, and with no other's.
func TestAlgorithms(t *testing.T) {
	keys := map[string]jwt.Key{}
	tokens := map[string]string{}
	for _, name := range []string{"HS256", "HS384", "HS512"} {
		keys[name] = jwt.Key{Algorithm: name, Secret: append([]byte(name), secret...)}
		tokens[name] = sign(t, name, keys[name].Secret, nil, good(nil))
	}
	for name, pair := range pairs() {
		keys[name] = jwt.Key{Algorithm: name, Public: pair.Public()}
		tokens[name] = sign(t, name, pair, nil, good(nil))
	}
	for name, key := range keys {
		v := newVerifier(t, jwt.Config{Keys: []jwt.Key{key}})
		for other, token := range tokens {
			_, err := v.Verify(token)
			if want := hub.ErrorCode(""); other == name && code(t, err) != want {
				t.Errorf("%s: %v", name, err)
			} else if other != name && code(t, err) != hub.BadToken {
				t.Errorf("a key for %s takes a token of %s: %v", name, other, err)
			}
		}
	}
	all := newVerifier(t, jwt.Config{Keys: slices.Collect(maps.Values(keys))})
	for name, token := range tokens {
		if _, err := all.Verify(token); err != nil {
			t.Errorf("%s among all: %v", name, err)
		}
		middle := strings.LastIndex(token, ".") + 5
		changed := token[:middle] + string("AB"[b2i(token[middle] == 'A')]) + token[middle+1:]
		if _, err := all.Verify(changed); code(t, err) != hub.BadToken {
			t.Errorf("%s with another signature: %v", name, err)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// publicPEM is a public key as everybody may know it.
func publicPEM(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// anyCode stands for any error: what a number too large for a time becomes
// depends on the processor.
const anyCode hub.ErrorCode = "any"

func TestAttacks(t *testing.T) {
	rsaPair := pairs()["RS256"].(*rsa.PrivateKey)
	der, err := x509.MarshalPKIXPublicKey(rsaPair.Public())
	if err != nil {
		t.Fatal(err)
	}
	other := []byte(strings.Repeat("another secret, not that of ours", 2))
	v := newVerifier(t, jwt.Config{
		Keys: []jwt.Key{
			{ID: "old", Algorithm: "HS256", Secret: secret},
			{ID: "new", Algorithm: "HS256", Secret: append([]byte("new"), secret...)},
			{ID: "rsa", Algorithm: "RS256", Public: rsaPair.Public()},
		},
		Audience: "hub", Issuer: "backend",
	})
	ours := func(change object) object {
		claims := good(object{"aud": "hub", "iss": "backend"})
		for name, value := range change {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		return claims
	}
	body := func(change object) string {
		text, err := json.Marshal(ours(change))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	whole := sign(t, "HS256", secret, nil, ours(nil))
	parts := strings.Split(whole, ".")
	const hs = `{"alg":"HS256"}`
	seconds := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for name, c := range map[string]struct {
		token string
		code  hub.ErrorCode
	}{
		"good":                        {whole, ""},
		"good, by its kid":            {sign(t, "HS256", secret, object{"kid": "old"}, ours(nil)), ""},
		"good, several audiences":     {sign(t, "HS256", secret, nil, ours(object{"aud": []string{"mail", "hub"}})), ""},
		"good, just expired":          {sign(t, "HS256", secret, nil, ours(object{"exp": seconds(-9 * time.Second)})), ""},
		"good, nbf by another clock":  {sign(t, "HS256", secret, nil, ours(object{"nbf": seconds(9 * time.Second)})), ""},
		"good, as long as may be":     {sign(t, "HS256", secret, nil, ours(object{"exp": seconds(24 * time.Hour)})), ""},
		"none there":                  {"", hub.BadToken},
		"alg none":                    {forge(`{"alg":"none"}`, body(nil), nil), hub.BadToken},
		"alg none, no signature":      {strings.Join([]string{base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)), parts[1], ""}, "."), hub.BadToken},
		"alg None":                    {forge(`{"alg":"None"}`, body(nil), nil), hub.BadToken},
		"alg hs256":                   {forge(`{"alg":"hs256"}`, body(nil), secret), hub.BadToken},
		"alg absent":                  {forge(`{"typ":"JWT"}`, body(nil), secret), hub.BadToken},
		"alg a number":                {forge(`{"alg":1}`, body(nil), secret), hub.BadToken},
		"alg not ours":                {sign(t, "HS512", secret, nil, ours(nil)), hub.BadToken},
		"HS256 by the RSA key, PEM":   {forge(hs, body(nil), publicPEM(t, rsaPair.Public())), hub.BadToken},
		"HS256 by the RSA key, DER":   {forge(hs, body(nil), der), hub.BadToken},
		"HS256 by the RSA key's kid":  {forge(`{"alg":"HS256","kid":"rsa"}`, body(nil), publicPEM(t, rsaPair.Public())), hub.BadToken},
		"no signature":                {parts[0] + "." + parts[1] + ".", hub.BadToken},
		"no third part":               {parts[0] + "." + parts[1], hub.BadToken},
		"four parts":                  {whole + "." + parts[2], hub.BadToken},
		"only dots":                   {strings.Repeat(".", 8000), hub.BadToken},
		"another secret":              {sign(t, "HS256", other, nil, ours(nil)), hub.BadToken},
		"other claims":                {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(body(object{"sub": "eve"}))) + "." + parts[2], hub.BadToken},
		"the kid of another key":      {sign(t, "HS256", secret, object{"kid": "new"}, ours(nil)), hub.BadToken},
		"a kid we do not have":        {sign(t, "HS256", secret, object{"kid": "../../dev/null"}, ours(nil)), hub.BadToken},
		"a kid in SQL":                {sign(t, "HS256", other, object{"kid": "' UNION SELECT 'x"}, ours(nil)), hub.BadToken},
		"an empty kid":                {sign(t, "HS256", secret, object{"kid": ""}, ours(nil)), hub.BadToken},
		"a kid that is a list":        {sign(t, "HS256", secret, object{"kid": []string{"old"}}, ours(nil)), hub.BadToken},
		"its own key":                 {sign(t, "HS256", other, object{"jwk": object{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(other)}}, ours(nil)), hub.BadToken},
		"its own key's place":         {sign(t, "HS256", other, object{"jku": "https://evil.example/keys"}, ours(nil)), hub.BadToken},
		"something critical":          {sign(t, "HS256", secret, object{"crit": []string{"b64"}, "b64": false}, ours(nil)), hub.BadToken},
		"expired":                     {sign(t, "HS256", secret, nil, ours(object{"exp": seconds(-11 * time.Second)})), hub.TokenExpired},
		"expired in 1970":             {sign(t, "HS256", secret, nil, ours(object{"exp": 0})), hub.TokenExpired},
		"expired, another audience":   {sign(t, "HS256", secret, nil, ours(object{"exp": seconds(-time.Hour), "aud": "mail"})), hub.BadToken},
		"expired, another secret":     {sign(t, "HS256", other, nil, ours(object{"exp": seconds(-time.Hour)})), hub.BadToken},
		"no exp":                      {sign(t, "HS256", secret, nil, ours(object{"exp": nil})), hub.BadToken},
		"an exp that is a text":       {sign(t, "HS256", secret, nil, ours(object{"exp": "tomorrow"})), hub.BadToken},
		"an exp without end":          {forge(hs, `{"exp":1e300,"aud":"hub","iss":"backend"}`, secret), anyCode},
		"an exp below everything":     {forge(hs, `{"exp":-1e300,"aud":"hub","iss":"backend"}`, secret), anyCode},
		"good for a year":             {sign(t, "HS256", secret, nil, ours(object{"exp": seconds(365 * 24 * time.Hour)})), hub.BadToken},
		"good, a whole life":          {sign(t, "HS256", secret, nil, ours(object{"iat": seconds(-23 * time.Hour), "exp": seconds(time.Hour)})), ""},
		"good for a year since iat":   {sign(t, "HS256", secret, nil, ours(object{"iat": seconds(-364 * 24 * time.Hour), "exp": seconds(time.Hour)})), hub.BadToken},
		"not good before next year":   {sign(t, "HS256", secret, nil, ours(object{"iat": seconds(0), "nbf": seconds(-1), "exp": seconds(365 * 24 * time.Hour)})), hub.BadToken},
		"not yet":                     {sign(t, "HS256", secret, nil, ours(object{"nbf": seconds(time.Minute)})), hub.BadToken},
		"issued tomorrow":             {sign(t, "HS256", secret, nil, ours(object{"iat": seconds(time.Hour)})), hub.BadToken},
		"another audience":            {sign(t, "HS256", secret, nil, ours(object{"aud": "mail"})), hub.BadToken},
		"no audience":                 {sign(t, "HS256", secret, nil, ours(object{"aud": nil})), hub.BadToken},
		"another issuer":              {sign(t, "HS256", secret, nil, ours(object{"iss": "eve"})), hub.BadToken},
		"no issuer":                   {sign(t, "HS256", secret, nil, ours(object{"iss": nil})), hub.BadToken},
		"huge":                        {sign(t, "HS256", secret, nil, ours(object{"info": strings.Repeat("x", 8<<10)})), hub.BadToken},
		"huge, without meaning":       {strings.Repeat("A", 10<<20), hub.BadToken},
		"claims that are a list":      {forge(hs, `[]`, secret), hub.BadToken},
		"claims that are null":        {forge(hs, `null`, secret), hub.BadToken},
		"claims behind claims":        {forge(hs, body(nil)+body(nil), secret), hub.BadToken},
		"a header that is null":       {forge(`null`, body(nil), secret), hub.BadToken},
		"base64 with padding":         {forge(hs, body(nil), secret) + "=", hub.BadToken},
		"another spelling":            {respell(whole), hub.BadToken},
		"a sub that is a number":      {sign(t, "HS256", secret, nil, ours(object{"sub": 7})), hub.BadToken},
		"channels that are a list":    {sign(t, "HS256", secret, nil, ours(object{"channels": []string{"*"}})), hub.BadToken},
		"a pattern in the middle":     {sign(t, "HS256", secret, nil, ours(object{"channels": object{"publish": []string{"a*b"}}})), hub.BadToken},
		"a channel without a name":    {sign(t, "HS256", secret, nil, ours(object{"channels": object{"subscribe": []string{""}}})), hub.BadToken},
		"a channel with a comma":      {sign(t, "HS256", secret, nil, ours(object{"channels": object{"presence": []string{"a,b"}}})), hub.BadToken},
		"info that is no UTF-8":       {forge(hs, strings.Replace(body(object{"info": "X"}), `"X"`, "\"\xff\"", 1), secret), hub.BadToken},
		"a token of another alphabet": {strings.ReplaceAll(whole, ".", "·"), hub.BadToken},
	} {
		who, err := v.Verify(c.token)
		if got := code(t, err); got != c.code && (c.code != anyCode || got == "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err != nil && (who.User != "" || who.Grants.Subscribe != nil) {
			t.Errorf("%s: an error, and %+v", name, who)
		}
	}
}

// respell returns a token whose last character differs in bits that do not count.
func respell(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + string(alphabet[strings.IndexByte(alphabet, token[last])^1])
}

// Keys are replaced one after the other: for a while there are two.
func TestRotation(t *testing.T) {
	old, next := secret, append([]byte("next"), secret...)
	v := newVerifier(t, jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: old}, {ID: "next", Algorithm: "HS256", Secret: next}}})
	for name, token := range map[string]string{
		"of the old key":               sign(t, "HS256", old, nil, good(nil)),
		"of the old key, with a kid":   sign(t, "HS256", old, object{"kid": "x"}, good(nil)),
		"of the next key":              sign(t, "HS256", next, object{"kid": "next"}, good(nil)),
		"of the next key, without kid": sign(t, "HS256", next, nil, good(nil)),
	} {
		if _, err := v.Verify(token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key is for one algorithm, also where another key is for the one that a token
// names, and both are of one type.
func TestAlgorithmOfTheKey(t *testing.T) {
	other := append([]byte("other"), secret...)
	v := newVerifier(t, jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: secret}, {Algorithm: "HS512", Secret: other}}})
	for _, c := range []struct {
		algorithm string
		secret    []byte
		good      bool
	}{{"HS256", secret, true}, {"HS512", other, true}, {"HS512", secret, false}, {"HS256", other, false}} {
		if _, err := v.Verify(sign(t, c.algorithm, c.secret, nil, good(nil))); (err == nil) != c.good {
			t.Errorf("%s by %.10s: %v", c.algorithm, c.secret, err)
		}
	}
}

func TestNoBounds(t *testing.T) {
	v := newVerifier(t, jwt.Config{Leeway: -1, MaxAge: -1})
	if _, err := v.Verify(sign(t, "HS256", secret, nil, good(object{"exp": now.Add(-time.Second).Unix()}))); code(t, err) != hub.TokenExpired {
		t.Errorf("expired a second ago: %v", err)
	}
	for _, age := range []time.Duration{-1, math.MaxInt64} {
		v := newVerifier(t, jwt.Config{Leeway: -1, MaxAge: age})
		who, err := v.Verify(sign(t, "HS256", secret, nil, good(object{"iat": 0, "exp": now.AddDate(10, 0, 0).Unix()})))
		if err != nil || !who.Expires.Equal(now.AddDate(10, 0, 0)) {
			t.Errorf("ten years, MaxAge %v: %v, %v", age, who.Expires, err)
		}
	}
}

// LongestLife counts the leeway of who issues a token and of who checks it.
func TestLongestLife(t *testing.T) {
	for _, c := range []struct {
		leeway, age, want time.Duration
	}{
		{0, 0, 24*time.Hour + 20*time.Second},
		{-1, time.Hour, time.Hour},
		{time.Minute, 30 * time.Hour, 30*time.Hour + 2*time.Minute},
		{0, -1, math.MaxInt64},
		{0, math.MaxInt64, math.MaxInt64},
	} {
		if got := newVerifier(t, jwt.Config{Leeway: c.leeway, MaxAge: c.age}).LongestLife(); got != c.want {
			t.Errorf("leeway %v, age %v: %v, want %v", c.leeway, c.age, got, c.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	weak := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	p256, rsaPair := pairs()["ES256"], pairs()["RS256"]
	for name, c := range map[string]struct {
		config jwt.Config
		says   string
	}{
		"no key":              {jwt.Config{}, "Keys is empty"},
		"none":                {jwt.Config{Keys: []jwt.Key{{Algorithm: "none"}}}, `no algorithm "none"`},
		"no algorithm":        {jwt.Config{Keys: []jwt.Key{{Secret: secret}}}, `no algorithm ""`},
		"a short secret":      {jwt.Config{Keys: []jwt.Key{{Algorithm: "HS512", Secret: secret[:63]}}}, "63 bytes, and needs 64"},
		"no secret":           {jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256"}}}, "0 bytes"},
		"PEM for a secret":    {jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: publicPEM(t, rsaPair.Public())}}}, "PEM"},
		"a key for a secret":  {jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: secret, Public: rsaPair.Public()}}}, "not a public key"},
		"a secret for RSA":    {jwt.Config{Keys: []jwt.Key{{Algorithm: "RS256", Secret: secret}}}, "RSA public key"},
		"a weak RSA key":      {jwt.Config{Keys: []jwt.Key{{Algorithm: "RS256", Public: weak}}}, "1024 bits"},
		"a private key":       {jwt.Config{Keys: []jwt.Key{{Algorithm: "RS256", Public: rsaPair}}}, "RSA public key"},
		"another curve":       {jwt.Config{Keys: []jwt.Key{{Algorithm: "ES384", Public: p256.Public()}}}, "P-384"},
		"a curve for Ed25519": {jwt.Config{Keys: []jwt.Key{{Algorithm: "EdDSA", Public: p256.Public()}}}, "Ed25519"},
		"the second key":      {jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: secret}, {Algorithm: "X"}}}, "Keys[1]"},
		"a negative bound":    {jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: secret}}, MaxTokenBytes: -1}, "MaxTokenBytes"},
	} {
		if _, err := jwt.New(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func TestParsePublicKey(t *testing.T) {
	for name, pair := range pairs() {
		key, err := jwt.ParsePublicKey(publicPEM(t, pair.Public()))
		if err != nil || !key.(interface{ Equal(crypto.PublicKey) bool }).Equal(pair.Public()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	rsaPair := pairs()["RS256"].(*rsa.PrivateKey)
	old := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&rsaPair.PublicKey)})
	if key, err := jwt.ParsePublicKey(old); err != nil || !rsaPair.PublicKey.Equal(key) {
		t.Errorf("PKCS 1: %v", err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, rsaPair.Public(), rsaPair)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if key, err := jwt.ParsePublicKey(certificate); err != nil || !rsaPair.PublicKey.Equal(key) {
		t.Errorf("a certificate: %v", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(rsaPair)
	if err != nil {
		t.Fatal(err)
	}
	for says, text := range map[string]string{
		"no key in PEM": "hello",
		"private key":   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"more than one": string(old) + string(old),
		`"DH PARAMETER`: string(pem.EncodeToMemory(&pem.Block{Type: "DH PARAMETERS"})),
		"jwt: ":         string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})),
	} {
		if _, err := jwt.ParsePublicKey([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// Whatever a token is, it is refused with one of two codes, or was signed.
func FuzzVerify(f *testing.F) {
	v := newVerifier(f, jwt.Config{})
	f.Add(sign(f, "HS256", secret, nil, good(nil)), "", "")
	f.Add("", `{"alg":"HS256"}`, `{"exp":1e300}`)
	f.Add("", `{"alg":"HS256","kid":null}`, `{"exp":1790000100,"channels":{"subscribe":["a","*"]},"info":[1,{"a":null}]}`)
	f.Add("..", `{"alg":"none"}`, `{"exp":"1790000100","aud":[1]}`)
	f.Fuzz(func(t *testing.T, token, header, claims string) {
		if _, err := v.Verify(token); err != nil {
			if c := code(t, err); c != hub.BadToken && c != hub.TokenExpired {
				t.Errorf("%q", c)
			}
		}
		who, err := v.Verify(forge(header, claims, secret))
		if err == nil && !now.Before(who.Expires) {
			t.Errorf("%s %s was good until %v", header, claims, who.Expires)
		}
		if err != nil && code(t, err) != hub.BadToken && code(t, err) != hub.TokenExpired {
			t.Errorf("%v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	bench := func(name string, key jwt.Key, signing any) {
		b.Run(name, func(b *testing.B) {
			v := newVerifier(b, jwt.Config{Keys: []jwt.Key{key}})
			token := sign(b, name, signing, nil, good(object{"channels": object{"subscribe": []string{"a", "b:*"}}}))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("HS256", jwt.Key{Algorithm: "HS256", Secret: secret}, secret)
	for _, name := range []string{"RS256", "ES256", "EdDSA"} {
		bench(name, jwt.Key{Algorithm: name, Public: pairs()[name].Public()}, pairs()[name])
	}
}
