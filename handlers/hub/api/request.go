package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/jsontext"
)

func bad(text string) error { return &hub.Error{Code: hub.BadRequest, Text: text} }

// maxAroundDepth is how deep the data of a batch is in its body.
const maxAroundDepth = 3

// decode reads a body into the request it is. Nothing of body is kept.
func decode(body []byte, request any) error {
	if !utf8.Valid(body) { // which package json would let pass in strings
		return bad("the body is not UTF-8")
	}
	// What package json lets pass, and makes something else of, or a map of any size.
	if err := jsontext.Check(body, jsontext.MaxDepth+maxAroundDepth); err != nil && err != jsontext.ErrJSON {
		return bad("the body: " + err.Error())
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(request)
	if err == nil {
		if _, err := d.Token(); err != io.EOF {
			return bad("there is more than one JSON value")
		}
		return nil
	}
	var wrong *json.UnmarshalTypeError
	switch {
	case err == io.EOF:
		return bad("the body is empty")
	case errors.As(err, &wrong) && wrong.Field != "":
		return bad("the value of " + strconv.Quote(strings.ReplaceAll(wrong.Field, "content.", "")) + " has the wrong type")
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return bad("there is no key " + strings.TrimPrefix(err.Error(), "json: unknown field "))
	default:
		return bad("the body is no JSON object")
	}
}

// few is a list of at most so many values: what is above is not read, since a value of
// two bytes in a body takes some hundred in memory.
type few[T any] struct {
	most  int
	items []T
	more  bool // there were more
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *few[T]) UnmarshalJSON(list []byte) error {
	if string(list) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(list))
	d.DisallowUnknownFields()
	if start, err := d.Token(); err != nil || start != json.Delim('[') {
		return &json.UnmarshalTypeError{Value: "value", Type: reflect.TypeFor[[]T]()}
	}
	for d.More() {
		if l.more = len(l.items) == l.most; l.more {
			return nil
		}
		var item T
		if err := d.Decode(&item); err != nil {
			return err
		}
		l.items = append(l.items, item)
	}
	return nil
}

// check reports whether there are as many as there may be.
func (l *few[T]) check() error {
	if l.more || len(l.items) == 0 {
		return bad("there must be 1 to " + strconv.Itoa(l.most) + " of them")
	}
	return nil
}

// content is what is to be published, wherever.
type content struct {
	Data   json.RawMessage   `json:"data"`
	Text   *string           `json:"text"`
	Base64 *string           `json:"base64"`
	Key    string            `json:"key"`
	TTL    int64             `json:"ttl"` // milliseconds
	Tags   map[string]string `json:"tags"`
}

// publication makes a publication of it.
func (c *content) publication(channel string) (p hub.Publication, err error) {
	p = hub.Publication{Channel: channel, Key: c.Key, Tags: c.Tags}
	if c.TTL < 0 || c.TTL > math.MaxInt64/int64(time.Millisecond) {
		return p, bad("a ttl is a number of milliseconds")
	}
	p.TTL = time.Duration(c.TTL) * time.Millisecond
	kinds := 0
	if c.Data != nil {
		kinds++
		if jsontext.Deeper(c.Data, jsontext.MaxDepth) {
			return p, bad("the value of \"data\" is nested deeper than " + strconv.Itoa(jsontext.MaxDepth) + " levels")
		}
		p.Data = c.Data
	}
	if c.Text != nil {
		kinds++
		p.Data = []byte(*c.Text)
	}
	if c.Base64 != nil {
		kinds++
		if p.Data, err = base64.StdEncoding.Strict().DecodeString(*c.Base64); err != nil {
			return p, bad("the value of \"base64\" is not base64")
		}
	}
	if kinds != 1 {
		return p, bad("a message has one of data, text and base64")
	}
	return p, nil
}

// number reads a parameter; absent is what it is if it is not there.
func number(q url.Values, name string, absent, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, bad(name + " is a number, not less than 0")
	}
	return min(n, most), nil
}

// place reads the parameters epoch and offset; nil is none.
func place(q url.Values) (*hub.Position, error) {
	if !q.Has("epoch") && !q.Has("offset") {
		return nil, nil
	}
	offset, err := strconv.ParseUint(q.Get("offset"), 10, 64)
	if err != nil || q.Get("epoch") == "" {
		return nil, bad("a place is an epoch and an offset, which is a number")
	}
	return &hub.Position{Epoch: q.Get("epoch"), Offset: offset}, nil
}
