package hub

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gale-server/gale/handlers/internal/jsontext"
)

// Identity is who a client is, and what it may do.
type Identity struct {
	User    string          // "" for nobody in particular
	Info    json.RawMessage // what others may know, with the member; nil for nothing
	Expires time.Time       // when it must be renewed; zero: never
	Grants  Grants

	// Proven is when what the identity goes by was made: the iat of a token. After
	// Hub.Disconnect a user comes in again only with what was made later. Zero: now,
	// for whom Authenticate has just looked up.
	Proven time.Time

	// Address is where the client comes from, which rates belong to if there is no
	// User. An Authenticate that leaves it empty gets the address of the
	// connection, or of IPv6 its /64, which is what one customer has. Behind a proxy
	// that is the proxy's: there, Authenticate says what the proxy says.
	Address string
}

// legible reports whether others can read what they see of the identity.
func (who *Identity) legible() bool {
	return utf8.ValidString(who.User) && (who.Info == nil || jsontext.Check(who.Info, jsontext.MaxDepth) == nil)
}

// Sender is what rates belong to: a user, or, of those who have no name, an address.
//
// Safe for concurrent use: immutable.
type Sender struct{ User, Address string }

// Sender says whose rates the client's doings count for.
func (who *Identity) Sender() Sender {
	if who.User != "" {
		return Sender{User: who.User}
	}
	return Sender{Address: who.Address}
}

// keyScope is what Publication.KeyScope is for this sender: something else for every
// one, and never the server's.
func (s Sender) keyScope() string {
	if s.User != "" {
		return "user " + s.User
	}
	return "address " + s.Address
}

// Grants are the channels in which a client may do something: names, and
// patterns with a "*" at the end.
type Grants struct {
	Subscribe []string
	Publish   []string
	Presence  []string
}

// Everything are the grants of a client that may do everything.
var Everything = Grants{Subscribe: []string{"*"}, Publish: []string{"*"}, Presence: []string{"*"}}

// allow is the default of Config.Allow. Whoever asks for a pattern must be granted
// all it stands for.
func (who *Identity) allow(what Action, channel string) error {
	list := [...][]string{Subscribe: who.Grants.Subscribe, Publish: who.Grants.Publish, Presence: who.Grants.Presence}[what]
	granted := slices.ContainsFunc(list, func(grant string) bool {
		if prefix, ok := strings.CutSuffix(grant, "*"); ok {
			return strings.HasPrefix(strings.TrimSuffix(channel, "*"), prefix)
		}
		return grant == channel
	})
	if !granted {
		return &Error{Code: NotAllowed, Text: "you may not " + what.String() + " this channel"}
	}
	return nil
}
