// Package cursor makes tokens that say how far a client is in some channels, and
// that it may read them.
//
//	s, err := cursor.New(secret)
//	token := s.Sign(cursor.Cursor{Channels: channels, Places: places, User: "ann", Expires: soon})
//	c, err := s.Open(token, channels, "ann", time.Now())
//
// The client keeps its own place: the server has no session to remember, to expire
// or to look up, any process with the secret can go on, and asking twice with one
// token gives the same twice. A token is also the proof that its channels were
// granted to its user, so that a poll needs no other until it expires.
//
// # What a token is worth
//
// Whoever has a token reads its channels until it expires, as with a cookie or any
// other bearer token: it belongs into requests over TLS, and Expires should be
// minutes away. It is not secret what it says: the user and the places are legible,
// the channels are not in it but must be named again.
//
// # Layout
//
// A token is the base64 of these bytes, in the alphabet for URLs and without
// padding (https://www.rfc-editor.org/rfc/rfc4648#section-5), so it can stand in a
// query, a field, an entity tag and the id of an event as it is:
//
//	1      version: 2
//	4      seconds since 1970 at which it expires, big-endian; 0: never
//	varint length of the user's name
//	...    the user's name
//	4      if there is one: seconds since 1970 at which it was proven, big-endian
//	       for each channel, in the order of their names:
//	varint   length of the epoch
//	...      the epoch
//	varint   the offset
//	12     the code: HMAC-SHA256 of what is before it and the names of the channels,
//	       its first 12 bytes
//
// A varint is that of package encoding/binary. One channel of a [hub.Memory] and a
// user of up to 14 bytes make at most 64 characters for the first two million
// messages.
//
// Half of the code would be 16 bytes
// (https://www.rfc-editor.org/rfc/rfc2104#section-5); 12 are what IPsec has for
// packets. A guess is right once in 2^96, and each takes a request.
//
// # Limits
//
// A token of more than 16 KiB is refused unread.
package cursor
