package cursor

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/gale-server/gale/handlers/hub"
)

// Cursor is what a token stands for.
type Cursor struct {
	Channels []string       // each once
	Places   []hub.Position // of the channels, in their order
	User     string         // "" for nobody in particular
	Expires  time.Time      // in seconds, until 2106; zero: never

	// Proven is when that was proven which the cursor stands for: see
	// hub.Identity.Proven. In seconds, rounded down, until 2106; of a User only.
	Proven time.Time
}

// Signer makes tokens and reads them.
//
// Safe for concurrent use.
type Signer struct {
	keys []*key // the first signs, all open
}

const (
	version       = 2
	codeBytes     = 12
	maxTokenBytes = 16 << 10
	minSecret     = 16
)

// encoding refuses what it would not have written itself: a token has one form.
var encoding = base64.RawURLEncoding.Strict()

// New returns a Signer that signs with a secret and also opens what was signed with
// previous ones, so that a secret can be changed without ending what is under way:
// the old one may go once the last of its tokens has expired. A secret has at
// least 16 bytes that nobody can guess; it may serve other ends, too.
func New(secret []byte, previous ...[]byte) (*Signer, error) {
	s := &Signer{}
	for _, one := range append([][]byte{secret}, previous...) {
		if len(one) < minSecret {
			return nil, fmt.Errorf("cursor: a secret has fewer than %d bytes", minSecret)
		}
		s.keys = append(s.keys, newKey(one))
	}
	return s, nil
}

// Sign returns the token of a cursor. It panics if there is not one place for each
// channel.
func (s *Signer) Sign(c Cursor) string {
	var room [roomBytes]byte
	return string(s.AppendToken(room[:0], &c))
}

// roomBytes is enough for the token of a few channels.
const roomBytes = 256

// AppendToken appends the token of a cursor, as Sign returns it.
func (s *Signer) AppendToken(dst []byte, c *Cursor) []byte {
	if len(c.Channels) != len(c.Places) {
		panic("cursor: there is not one place for each channel")
	}
	order := sorted(c.Channels)
	var room [roomBytes]byte
	p := append(room[:0], version)
	p = binary.BigEndian.AppendUint32(p, seconds(c.Expires))
	p = appendString(p, c.User)
	if c.User != "" {
		p = binary.BigEndian.AppendUint32(p, seconds(c.Proven))
	}
	for _, i := range order {
		p = appendString(p, c.Places[i].Epoch)
		p = binary.AppendUvarint(p, c.Places[i].Offset)
	}
	p = s.keys[0].appendCode(p, p, c.Channels, order)
	return encoding.AppendEncode(dst, p)
}

// Open returns what a token stands for, with the channels in the order in which
// they are given. The token must have been signed for the same channels, in any
// order, and for the same user.
//
// Errors are *hub.Error: BadCursor for what was not signed so, and TokenExpired.
// With the latter, the cursor is returned as well: a client that shows otherwise
// that it may still read goes on where it was.
func (s *Signer) Open(token string, channels []string, user string, now time.Time) (Cursor, error) {
	c, err := s.Bearer(token, channels, now)
	if (err == nil || err == errExpired) && c.User != user {
		return Cursor{}, errBad
	}
	return c, err
}

// Bearer is Open for whoever comes with the token: it says itself who that is.
func (s *Signer) Bearer(token string, channels []string, now time.Time) (Cursor, error) {
	if len(token) > maxTokenBytes {
		return Cursor{}, errBad
	}
	var room [roomBytes]byte
	p, err := encoding.AppendDecode(room[:0], []byte(token))
	if err != nil || len(p) < codeBytes || encoding.EncodedLen(len(p)) != len(token) { // the decoder skips ends of lines
		return Cursor{}, errBad
	}
	said, code := p[:len(p)-codeBytes], p[len(p)-codeBytes:]
	order := sorted(channels)
	if !s.signed(said, code, channels, order) {
		return Cursor{}, errBad
	}
	c, err := parse(said, channels, order)
	if err != nil {
		return Cursor{}, errBad
	}
	if !c.Expires.IsZero() && !now.Before(c.Expires) {
		return c, errExpired
	}
	return c, nil
}

var (
	errBad     = &hub.Error{Code: hub.BadCursor, Text: "the cursor is not one of yours for these channels"}
	errExpired = &hub.Error{Code: hub.TokenExpired, Text: "the cursor has expired"}
)

// signed reports whether one of the keys made the code. The time it takes does not
// depend on how much of the code is right.
func (s *Signer) signed(said, code []byte, channels []string, order []int) bool {
	var room [sha256.Size]byte
	for _, k := range s.keys {
		if hmac.Equal(k.appendCode(room[:0], said, channels, order), code) {
			return true
		}
	}
	return false
}

var errMalformed = errors.New("cursor: malformed")

// parse reads what is before the code. What we have signed is in good form, but a
// secret may be shared with another version of this package.
func parse(p []byte, channels []string, order []int) (c Cursor, err error) {
	if len(p) < 5 || p[0] != version {
		return c, errMalformed
	}
	if s := binary.BigEndian.Uint32(p[1:]); s > 0 {
		c.Expires = time.Unix(int64(s), 0)
	}
	p = p[5:]
	var ok bool
	if c.User, p, ok = cutString(p); !ok {
		return c, errMalformed
	}
	if c.User != "" {
		if len(p) < 4 {
			return c, errMalformed
		}
		if s := binary.BigEndian.Uint32(p); s > 0 {
			c.Proven = time.Unix(int64(s), 0)
		}
		p = p[4:]
	}
	c.Channels, c.Places = channels, make([]hub.Position, len(channels))
	for _, i := range order {
		if c.Places[i].Epoch, p, ok = cutString(p); !ok {
			return c, errMalformed
		}
		offset, n := binary.Uvarint(p)
		if n <= 0 {
			return c, errMalformed
		}
		c.Places[i].Offset, p = offset, p[n:]
	}
	if len(p) > 0 {
		return c, errMalformed
	}
	return c, nil
}

// sorted returns the places of the channels in the order of their names, so that
// what is asked for as "a,b" can be gone on with as "b,a".
func sorted(channels []string) []int {
	if len(channels) == 1 {
		return first
	}
	order := make([]int, len(channels))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(channels[i], channels[j]) })
	return order
}

// first is the order of one channel, not to be changed.
var first = []int{0}

// seconds is a time as a token has it: what has passed for long has passed, what
// is beyond the year 2106 comes then.
func seconds(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return uint32(min(max(t.Unix(), 1), math.MaxUint32))
}

func appendString(p []byte, s string) []byte {
	return append(binary.AppendUvarint(p, uint64(len(s))), s...)
}

func cutString(p []byte) (s string, rest []byte, ok bool) {
	length, n := binary.Uvarint(p)
	if n <= 0 || length > uint64(len(p)-n) {
		return "", p, false
	}
	end := n + int(length)
	return string(p[n:end]), p[end:], true
}

// key is a secret, with spare states of the hash.
//
// Safe for concurrent use.
type key struct{ spare sync.Pool }

// newKey derives the key of our tokens from a secret, so that no other use of the
// secret makes one by accident.
func newKey(secret []byte) *key {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("gale: a cursor, version 1"))
	derived := h.Sum(nil)
	return &key{spare: sync.Pool{New: func() any { return &state{Hash: hmac.New(sha256.New, derived)} }}}
}

// state is a hash with room for what is put into it.
type state struct {
	hash.Hash
	room []byte
	sum  [sha256.Size]byte
}

// appendCode appends the code of what a token says and of the channels, each with
// its length before it, so that no two sets of names are the same bytes.
func (k *key) appendCode(p, said []byte, channels []string, order []int) []byte {
	st := k.spare.Get().(*state)
	defer k.spare.Put(st)
	st.Reset()
	st.room = append(st.room[:0], said...) // and so what is said may be on the caller's stack
	for _, i := range order {
		st.room = appendString(st.room, channels[i])
	}
	st.Write(st.room)
	return append(p, st.Sum(st.sum[:0])[:codeBytes]...)
}
