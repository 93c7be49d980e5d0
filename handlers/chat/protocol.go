package chat

import (
	"encoding/json"
	"fmt"
)

// request is what a client sends: the keys of all types together, each of which
// uses some.
type request struct {
	Type    string          `json:"type"`
	Session string          `json:"session"`
	Name    string          `json:"name"`
	Room    string          `json:"room"`
	Epoch   string          `json:"epoch"`
	Seq     uint64          `json:"seq"`
	ID      string          `json:"id"`
	Text    string          `json:"text"`
	T       json.RawMessage `json:"t"`
}

type welcome struct {
	Type   string     `json:"type"`
	You    string     `json:"you"`
	Name   string     `json:"name"`
	Limits limits     `json:"limits"`
	Rooms  []roomInfo `json:"rooms"`
}

type roomInfo struct {
	Room      string `json:"room"`
	Members   int    `json:"members"`
	Permanent bool   `json:"permanent"`
}

type rooms struct {
	Type  string     `json:"type"`
	Rooms []roomInfo `json:"rooms"`
}

type joined struct {
	Type     string            `json:"type"`
	Room     string            `json:"room"`
	Epoch    string            `json:"epoch"`
	Seq      uint64            `json:"seq"`
	Gap      int64             `json:"gap"`
	Members  []person          `json:"members"`
	Messages []json.RawMessage `json:"messages"`
}

type person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// presence is "arrived", "left", "parted" and "named", of which each uses some
// keys.
type presence struct {
	Type string `json:"type"`
	Room string `json:"room,omitempty"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

type message struct {
	Type string `json:"type"`
	Room string `json:"room"`
	Seq  uint64 `json:"seq"`
	Time int64  `json:"time"`
	From string `json:"from"`
	Name string `json:"name"`
	ID   string `json:"id"`
	Text string `json:"text"`
}

type pong struct {
	Type string          `json:"type"`
	T    json.RawMessage `json:"t"`
	Time int64           `json:"time"`
}

type failure struct {
	Type  string    `json:"type"`
	Code  ErrorCode `json:"code"`
	Text  string    `json:"text"`
	Room  string    `json:"room,omitempty"`
	ID    string    `json:"id,omitempty"`
	Retry int64     `json:"retry,omitempty"`
}

// ErrorCode is the key "code" of an error: what a program goes by.
type ErrorCode string

// The codes of errors.
const (
	BadRequest ErrorCode = "bad_request" // no JSON, a key of the wrong type, an unknown type, hello missing or repeated
	BadName    ErrorCode = "bad_name"    // empty, too long, or with characters that do not show
	BadRoom    ErrorCode = "bad_room"    // no name of a room: 1 to 32 of a-z, 0-9 and "-"
	BadText    ErrorCode = "bad_text"    // empty, too long, or with control characters
	NotMember  ErrorCode = "not_member"  // of the room that was spoken to
	RoomFull   ErrorCode = "room_full"   // as many members as a room may have
	TooMany    ErrorCode = "too_many"    // as many rooms as there, or one client, may be
	TooFast    ErrorCode = "too_fast"    // above the rate; retry says how long to wait
)

// The close codes of this protocol's own decisions.
const (
	closePolicy   = 1008
	closeTooBig   = 1009
	closeTooSlow  = 1013
	closeReplaced = 4001
)

// encode returns v as JSON. The types above have nothing that cannot be encoded:
// raw values were decoded before.
func encode(v any) []byte {
	p, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("chat: encode %T: %v", v, err))
	}
	return p
}
