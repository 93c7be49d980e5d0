package socket

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/jsontext"
)

// Bounds of what a command says; the hub has others.
const (
	// Of arrays and objects in a message: of data, and of what is around it.
	maxDepth     = jsontext.MaxDepth + 3
	maxID        = 1 << 53 // what is above is no integer in every language
	maxTagBytes  = 1024    // of the names and values of all
	maxKeyBytes  = 255
	maxTTL       = 1 << 40 // milliseconds: 34 years
	maxSession   = 128     // bytes
	minSession   = 16
	maxCount     = 1<<31 - 1
	maxHistory   = 256  // messages of one reply
	maxMembers   = 1000 // of one reply
	defaultLimit = 100
)

// malformed is an error of the form of a message.
func malformed(text string) *hub.Error { return &hub.Error{Code: hub.BadRequest, Text: text} }

var (
	errJSON      = malformed("a message is a JSON object, or an array of some")
	errDepth     = malformed("the message is nested too deep")
	errCommand   = malformed(`a command has an "id" and the name of one command, once each`)
	errID        = malformed(`"id" is a positive integer`)
	errUnknown   = malformed("no such command")
	errBody      = malformed("what a command asks for is an object")
	errTwice     = malformed("a key is there twice")
	errKey       = malformed("the command knows no such key")
	errString    = malformed("a string is wanted")
	errSurrogate = malformed("half a surrogate pair is no text")
	errNumber    = malformed("an integer is wanted, not negative and not too large")
	errBool      = malformed("true or false is wanted")
	errObject    = malformed("an object is wanted")
	errPosition  = malformed(`a place has an "epoch" and an "offset"`)
	errTags      = &hub.Error{Code: hub.TooLarge, Text: "the names and values of tags have at most 1024 bytes in all"}
	errLong      = &hub.Error{Code: hub.TooLarge, Text: "a key has at most 255 bytes"}
	errSession   = malformed("a session has 16 to 128 visible ASCII characters")
	errBase64    = malformed("this is no Base64")
	errPayload   = malformed(`there is one of "data", "text" and "base64"`)
)

// check reports what is wrong with the form of a message. What passes is safe for
// the functions below.
func check(message []byte) *hub.Error {
	if jsontext.Deeper(message, maxDepth) {
		return errDepth // before a parser that remembers where it is
	}
	if !json.Valid(message) {
		return errJSON
	}
	return nil
}

// valueLen is the length of the JSON value that p begins with.
func valueLen(p []byte) int {
	depth := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '"':
			i += jsontext.StringLen(p[i:]) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of what a number is in
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return len(p)
}

func skipSpace(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t' || p[0] == '\n' || p[0] == '\r') {
		p = p[1:]
	}
	return p
}

// list returns the values of a message: those of the array, or the one. It is
// read with nextValue.
func list(message []byte) []byte {
	message = skipSpace(message)
	if len(message) > 0 && message[0] == '[' {
		return message[1:]
	}
	return message
}

// nextValue returns the first value of a list and what follows it; nil if there
// is none.
func nextValue(list []byte) (value, rest []byte) {
	list = skipSpace(list)
	if len(list) == 0 || list[0] == ']' {
		return nil, nil
	}
	n := valueLen(list)
	value, rest = list[:n], skipSpace(list[n:])
	if len(rest) > 0 && rest[0] == ',' {
		rest = rest[1:]
	}
	return value, rest
}

// nextMember returns the first member of an object and what follows it; nil if
// there is none. The key is as it is written, without its quotes: one with escapes
// is none of ours.
func nextMember(object []byte) (key, value, rest []byte) {
	object = skipSpace(object)
	if len(object) == 0 || object[0] == '}' {
		return nil, nil, nil
	}
	n := jsontext.StringLen(object)
	key = object[1 : n-1 : n-1]
	object = skipSpace(skipSpace(object[n:])[1:]) // behind the colon
	value, rest = nextValue(object)
	return key, value, rest
}

// command is what a client asks for.
type command struct {
	id   uint64 // 0 if it could not be read
	does action
	body []byte
}

// parseCommand takes a command apart. The id is there also with an error, if it
// can be read.
func parseCommand(value []byte) (c command, err *hub.Error) {
	if value[0] != '{' {
		return c, errJSON
	}
	var name []byte
	others := 0
	for key, v, rest := nextMember(value[1:]); key != nil; key, v, rest = nextMember(rest) {
		if string(key) != "id" {
			name, c.body = key, v
			others++
			continue
		}
		id, wrong := readInt(v, maxID)
		switch {
		case c.id != 0:
			return command{}, errCommand
		case wrong != nil || id == 0:
			return command{}, errID
		}
		c.id = uint64(id)
	}
	c.does = actionOf(name)
	switch {
	case c.id == 0:
		return c, errID
	case others != 1:
		return c, errCommand
	case c.does.run == nil:
		return c, errUnknown
	case c.body[0] != '{':
		return c, errBody
	}
	return c, nil
}

// args are the keys of all commands together, each of which knows some.
type args struct {
	token    string
	session  string
	channel  string
	after    *hub.Position
	last     int
	limit    int
	tags     map[string]string
	presence bool
	member   bool
	payload  []byte
	key      string
	ttl      time.Duration
}

// keySet is a set of keys.
type keySet uint16

const (
	keyToken keySet = 1 << iota
	keySession
	keyChannel
	keyAfter
	keyLast
	keyLimit
	keyTags
	keyPresence
	keyMember
	keyData
	keyText
	keyBase64
	keyKey
	keyTTL

	keyPayload = keyData | keyText | keyBase64
)

// keys says how each key is read.
var keys = map[string]struct {
	key  keySet
	read func(a *args, v []byte) *hub.Error
}{
	"token":    {keyToken, func(a *args, v []byte) (err *hub.Error) { a.token, err = readString(v); return err }},
	"session":  {keySession, readSession},
	"channel":  {keyChannel, func(a *args, v []byte) (err *hub.Error) { a.channel, err = readString(v); return err }},
	"after":    {keyAfter, func(a *args, v []byte) (err *hub.Error) { a.after, err = readPosition(v); return err }},
	"last":     {keyLast, func(a *args, v []byte) (err *hub.Error) { a.last, err = readCount(v); return err }},
	"limit":    {keyLimit, func(a *args, v []byte) (err *hub.Error) { a.limit, err = readCount(v); return err }},
	"tags":     {keyTags, func(a *args, v []byte) (err *hub.Error) { a.tags, err = readTags(v); return err }},
	"presence": {keyPresence, func(a *args, v []byte) (err *hub.Error) { a.presence, err = readBool(v); return err }},
	"member":   {keyMember, func(a *args, v []byte) (err *hub.Error) { a.member, err = readBool(v); return err }},
	"data":     {keyData, readData},
	"text":     {keyText, readText},
	"base64":   {keyBase64, readBase64},
	"key":      {keyKey, readKey},
	"ttl":      {keyTTL, readTTL},
}

// parseArgs reads the body of a command that knows some keys. Nothing of it is
// retained. A key that is null is as if it were not there, but for data.
func parseArgs(body []byte, known keySet) (a args, err *hub.Error) {
	var seen keySet
	for key, v, rest := nextMember(body[1:]); key != nil; key, v, rest = nextMember(rest) {
		k, ok := keys[string(key)]
		switch {
		case !ok || k.key&known == 0:
			return a, errKey
		case k.key&seen != 0:
			return a, errTwice
		case v[0] == 'n' && k.key != keyData:
			continue
		}
		seen |= k.key
		if err := k.read(&a, v); err != nil {
			return a, err
		}
	}
	if payload := seen & keyPayload; known&keyPayload != 0 && payload != keyData && payload != keyText && payload != keyBase64 {
		return a, errPayload
	}
	return a, nil
}

func readString(v []byte) (string, *hub.Error) {
	if v[0] != '"' {
		return "", errString
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), nil
	}
	if jsontext.Halves(inner) > 0 {
		return "", errSurrogate // a decoder makes something else of it
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return "", errString
	}
	return s, nil
}

func readInt(v []byte, most int64) (int64, *hub.Error) {
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil || n > uint64(most) {
		return 0, errNumber
	}
	return int64(n), nil
}

func readCount(v []byte) (int, *hub.Error) {
	n, err := readInt(v, maxCount)
	return int(n), err
}

func readBool(v []byte) (bool, *hub.Error) {
	switch string(v) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errBool
}

func readPosition(v []byte) (*hub.Position, *hub.Error) {
	if v[0] != '{' {
		return nil, errPosition
	}
	p := &hub.Position{}
	var seen [2]bool
	for key, v, rest := nextMember(v[1:]); key != nil; key, v, rest = nextMember(rest) {
		var which int
		var err error
		switch string(key) {
		case "epoch":
			var wrong *hub.Error
			if p.Epoch, wrong = readString(v); wrong != nil {
				return nil, errPosition
			}
		case "offset":
			which = 1
			p.Offset, err = strconv.ParseUint(string(v), 10, 64)
		default:
			return nil, errPosition
		}
		if err != nil || seen[which] {
			return nil, errPosition
		}
		seen[which] = true
	}
	if p.Epoch == "" && p.Offset > 0 {
		return nil, errPosition // a count of nothing
	}
	return p, nil
}

func readTags(v []byte) (map[string]string, *hub.Error) {
	if v[0] != '{' {
		return nil, errObject
	}
	tags := make(map[string]string)
	bytes := 0
	for key, v, rest := nextMember(v[1:]); key != nil; key, v, rest = nextMember(rest) {
		name, err := readString(append(append([]byte{'"'}, key...), '"'))
		if err != nil {
			return nil, err
		}
		value, err := readString(v)
		if err != nil {
			return nil, err
		}
		if _, again := tags[name]; again {
			return nil, errTwice
		}
		tags[name] = value
		if bytes += len(name) + len(value); bytes > maxTagBytes {
			return nil, errTags
		}
	}
	return tags, nil
}

func readSession(a *args, v []byte) (err *hub.Error) {
	if a.session, err = readString(v); err != nil {
		return err
	}
	if len(a.session) < minSession || len(a.session) > maxSession {
		return errSession
	}
	for i := range len(a.session) {
		if a.session[i] <= ' ' || a.session[i] > '~' {
			return errSession
		}
	}
	return nil
}

// readData takes any JSON that every reader takes.
func readData(a *args, v []byte) *hub.Error {
	if err := jsontext.Check(v, jsontext.MaxDepth); err != nil {
		return malformed("data: " + err.Error())
	}
	a.payload = bytes.Clone(v)
	return nil
}

func readText(a *args, v []byte) *hub.Error {
	text, err := readString(v)
	a.payload = []byte(text)
	return err
}

func readBase64(a *args, v []byte) *hub.Error {
	text, err := readString(v)
	if err != nil {
		return err
	}
	p, wrong := base64.StdEncoding.Strict().DecodeString(text)
	if wrong != nil {
		return errBase64
	}
	a.payload = p
	return nil
}

func readKey(a *args, v []byte) (err *hub.Error) {
	if a.key, err = readString(v); err == nil && len(a.key) > maxKeyBytes {
		return errLong
	}
	return err
}

func readTTL(a *args, v []byte) *hub.Error {
	ms, err := readInt(v, maxTTL)
	a.ttl = time.Duration(ms) * time.Millisecond
	return err
}
