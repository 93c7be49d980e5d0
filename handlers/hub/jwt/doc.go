// Package jwt lets clients of a hub in by signed tokens
// (https://www.rfc-editor.org/rfc/rfc7519), which a backend of yours issues:
//
//	verifier, err := jwt.New(jwt.Config{Keys: []jwt.Key{{Algorithm: "HS256", Secret: secret}}})
//	transport, err := socket.New(socket.Config{Hub: h, Authenticate: verifier.Authenticate})
//
// # Claims
//
//	exp       when the token ends, in seconds since 1970. Required
//	sub       the user; nobody in particular if it is not there
//	nbf, iat  the token counts from then on, if they are there. A user whom the server
//	          has disconnected comes in again with a token whose iat is later, and
//	          with no other. exp is not later than iat by more than Config.MaxAge
//	aud, iss  as Config.Audience and Config.Issuer say
//	info      any JSON, which others see with the user where it is present
//	channels  an object with what the client may do: the lists "subscribe", "publish"
//	          and "presence" of channels, and of patterns with a "*" at the end
//
// For example
//
//	{"sub":"ada","exp":1790000000,"info":{"name":"Ada"},
//	 "channels":{"subscribe":["news:*","chat:7"],"publish":["chat:7"],"presence":["chat:7"]}}
//
// Dates are numbers, the other claims texts, lists and objects as above; a claim of another
// type is refused with the reason. Names are in lower case.
//
// # What is refused
//
// A token has one spelling: no padding, no ends of lines, no stray bits, no key twice in
// its head or its claims. Both have at most 64 levels of arrays and objects (an info has 64
// of its own), and a token has at most [Config].MaxTokenBytes.
//
// A key is for one algorithm, and a token is checked with the keys for the one that
// it names, and none else: "none" is no algorithm, and a public key is never taken for
// a secret (https://www.rfc-editor.org/rfc/rfc8725#section-3.1). Keys that are too
// short for their algorithm are refused at the start. The header says nothing else
// that counts but kid, which chooses among the keys; keys and certificates in tokens
// (jwk, jku, x5c, x5u) are not looked at, and crit is refused.
//
// Signing is not the business of this package: its keys are public ones, or secrets
// that the backend has as well.
//
// # Concurrency
//
// A [Verifier] is immutable and is called on loops. Checking a token takes some ten
// microseconds with HS256, and about a hundred and more with the others.
package jwt
