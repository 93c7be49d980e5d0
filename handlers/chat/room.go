package chat

import (
	"encoding/json"
	"slices"
	"sync"
)

// room is who is in it and what was said. What its lock guards is changed and
// announced in one go, so that every member sees one order.
//
// Safe for concurrent use.
type room struct {
	name      string
	epoch     string
	permanent bool
	config    *Config

	mu      sync.Mutex
	seats   map[string]seat // by member id
	seq     uint64          // of the last message
	history []published     // the last messages, oldest first
}

// seat is a member's place, with the name the others know.
type seat struct {
	member *member
	name   string
}

// published is a message as it went out, with what a repetition is known by.
type published struct {
	seq      uint64
	from, id string
	frame    []byte // immutable: shared by all members
}

func newRoom(name string, config *Config) *room {
	return &room{name: name, epoch: newEpoch(), config: config, seats: make(map[string]seat)}
}

func (r *room) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seats)
}

// join seats m and sends it what it has not seen, given the epoch and number it
// has seen last. A member of the same id gives up its seat to m.
func (r *room) join(m *member, epoch string, seen uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, back := r.seats[m.id]
	if !back && len(r.seats) >= r.config.MaxMembersPerRoom {
		return refusal{RoomFull, "the room is full"}
	}
	r.seats[m.id] = seat{member: m, name: m.name}
	m.deliver(encode(r.snapshot(epoch, seen)))
	if !back {
		r.tell(encode(presence{Type: "arrived", Room: r.name, ID: m.id, Name: m.name}), m)
	}
	return nil
}

// snapshot is the room for somebody who has seen the messages up to seen of an
// epoch. The caller holds the lock.
func (r *room) snapshot(epoch string, seen uint64) joined {
	s := joined{
		Type:     "joined",
		Room:     r.name,
		Epoch:    r.epoch,
		Seq:      r.seq,
		Members:  make([]person, 0, len(r.seats)),
		Messages: []json.RawMessage{},
	}
	for id, at := range r.seats {
		s.Members = append(s.Members, person{ID: id, Name: at.name})
	}
	known := epoch == r.epoch && seen <= r.seq
	if !known {
		seen = 0
	}
	oldest := r.seq - uint64(len(r.history)) + 1
	switch {
	case known && seen+1 < oldest:
		s.Gap = int64(oldest - seen - 1)
	case !known && epoch != "":
		s.Gap = -1
	}
	for _, p := range r.history {
		if p.seq > seen {
			s.Messages = append(s.Messages, p.frame)
		}
	}
	return s
}

// leave gives up m's seat and reports whether nobody is left.
func (r *room) leave(m *member) (empty bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seats[m.id].member == m {
		delete(r.seats, m.id)
		r.tell(encode(presence{Type: "left", Room: r.name, ID: m.id, Name: m.name}), nil)
	}
	return len(r.seats) == 0
}

// rename announces m's new name.
func (r *room) rename(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seats[m.id].member != m {
		return
	}
	r.seats[m.id] = seat{member: m, name: m.name}
	r.tell(encode(presence{Type: "named", Room: r.name, ID: m.id, Name: m.name}), nil)
}

// publish sends a text to everybody in the room, m included. One that m has
// published already goes to m alone, as it went out then.
func (r *room) publish(m *member, id, text string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seats[m.id].member != m {
		return refusal{NotMember, "you are not in this room"}
	}
	// From the end: what is repeated was sent lately.
	for i := len(r.history) - 1; i >= 0; i-- {
		if p := r.history[i]; p.id == id && p.from == m.id {
			m.deliver(p.frame)
			return nil
		}
	}
	r.seq++
	frame := encode(message{
		Type: "message",
		Room: r.name,
		Seq:  r.seq,
		Time: r.config.Now().UnixMilli(),
		From: m.id,
		Name: m.name,
		ID:   id,
		Text: text,
	})
	r.remember(published{seq: r.seq, from: m.id, id: id, frame: frame})
	r.tell(frame, nil)
	return nil
}

func (r *room) remember(p published) {
	if r.config.HistoryMessages < 0 {
		return
	}
	if len(r.history) == r.config.HistoryMessages {
		r.history = slices.Delete(r.history, 0, 1)
	}
	r.history = append(r.history, p)
}

// tell gives a frame to everybody but one. The caller holds the lock.
func (r *room) tell(frame []byte, but *member) {
	for _, at := range r.seats {
		if at.member != but {
			at.member.deliver(frame)
		}
	}
}
