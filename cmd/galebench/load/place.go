package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// place is where a subscriber to a channel of gale's is, and sees that everything
// comes once and in order: the channel's only publisher numbers its publications
// as the channel does.
type place struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// push is a message of gale's, or a part of one.
type push struct {
	Message *struct {
		place
		Data json.RawMessage `json:"data"`
	} `json:"message"`
	Subscribed *struct {
		Position place `json:"position"`
		Top      place `json:"top"`
		Missing  int64 `json:"missing"`
	} `json:"subscribed"`
	Gap   *gap             `json:"gap"`
	Error *json.RawMessage `json:"error"`
	Ended *json.RawMessage `json:"ended"`
}

type gap struct {
	From    place `json:"from"`
	To      place `json:"to"`
	Missing int64 `json:"missing"`
}

// pushes are those of a text message, which is one or an array of them.
func pushes(text []byte) (all []push, err error) {
	if bytes.HasPrefix(text, []byte("[")) {
		err = json.Unmarshal(text, &all)
	} else {
		all = make([]push, 1)
		err = json.Unmarshal(text, &all[0])
	}
	for _, p := range all {
		if p.Error != nil {
			return nil, fmt.Errorf("load: the server says %.200q", *p.Error)
		}
		if p.Ended != nil {
			return nil, fmt.Errorf("load: the subscription ended with %.200q", *p.Ended)
		}
	}
	return all, err
}

var errMissed = errors.New("load: a publication was missed")

// follow moves behind a message, which must be the next one.
func (p *place) follow(m place, data []byte, s stamp) error {
	if m.Epoch != p.Epoch || m.Offset != p.Offset+1 {
		return fmt.Errorf("%w: %v follows %v", errOrder, m, *p)
	}
	count := 0
	err := s.scan(data, func(_ int, number uint32) error {
		if count++; uint64(number) != m.Offset {
			return fmt.Errorf("%w: publication %d has the place %d", errOrder, number, m.Offset)
		}
		return nil
	})
	if err == nil && count != 1 {
		err = errStamp
	}
	*p = m
	return err
}

// pass moves behind a gap, which must begin here and be told whole.
func (p *place) pass(g gap) error {
	if g.From != *p || g.To.Epoch != p.Epoch || g.To.Offset <= p.Offset || g.Missing != int64(g.To.Offset-p.Offset) {
		return fmt.Errorf("load: a gap of %d from %v to %v, at %v", g.Missing, g.From, g.To, *p)
	}
	*p = g.To
	return nil
}
