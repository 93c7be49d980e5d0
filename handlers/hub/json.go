package hub

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"

	"github.com/gale-server/gale/handlers/internal/jsontext"
)

// JSON is the format in which every transport tells of a message: an object with
// the keys
//
//	channel  its name
//	epoch    the place: see Position; with offset
//	offset
//	time     milliseconds since 1970, by the server's clock
//	from     the user who published it; not there for the server's
//	key      the publication's; not there if it has none
//	tags     an object; not there if it has none
//	data     the payload, if it is JSON that every reader takes
//	text     the payload, if it is not, but is UTF-8
//	base64   the payload, if it is neither
//
// Every reader takes what has no more than 64 levels of arrays and objects, no key
// twice in an object, no number beyond 64 bits of floating point, and no half of a
// surrogate pair (https://www.rfc-editor.org/rfc/rfc7493#section-2). A payload of no
// bytes is the text "".
var JSON = NewFormat(appendMessage)

// messageJSON is the object, in the order of its keys.
type messageJSON struct {
	Channel string            `json:"channel"`
	Epoch   string            `json:"epoch"`
	Offset  uint64            `json:"offset"`
	Time    int64             `json:"time"`
	From    string            `json:"from,omitempty"`
	Key     string            `json:"key,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	Data    json.RawMessage   `json:"data,omitempty"`
	Text    *string           `json:"text,omitempty"`
	Base64  *string           `json:"base64,omitempty"`
}

func appendMessage(m *Message) []byte {
	o := messageJSON{
		Channel: m.Channel,
		Epoch:   m.Epoch,
		Offset:  m.Offset,
		Time:    m.Time.UnixMilli(),
		From:    m.Publisher,
		Key:     m.Key,
		Tags:    m.Tags,
	}
	switch {
	case jsontext.Check(m.Data, jsontext.MaxDepth) == nil:
		o.Data = m.Data
	case utf8.Valid(m.Data):
		text := string(m.Data)
		o.Text = &text
	default:
		text := base64.StdEncoding.EncodeToString(m.Data)
		o.Base64 = &text
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(&o); err != nil {
		panic("hub: a message that is no JSON: " + err.Error()) // all of it was checked
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
