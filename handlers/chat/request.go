package chat

import (
	"encoding/json"

	"github.com/gale-server/gale/asgi"
)

// receive carries out one message of the client.
func (m *member) receive(ev *asgi.WebSocketReceive) {
	if len(ev.Data) > m.chat.config.MaxMessageBytes {
		m.close(closeTooBig, "message too long")
		return
	}
	var q request
	valid := ev.Kind == asgi.Text && json.Unmarshal(ev.Data, &q) == nil
	if !m.allowed(&q, m.chat.config.Now()) {
		return
	}
	if !valid {
		m.fail(&request{}, refusal{BadRequest, "a message is a text message with one JSON object"})
		return
	}
	handle, known := handlers[q.Type]
	switch {
	case !known:
		m.fail(&q, refusal{BadRequest, "no such type"})
	case m.id == "" && q.Type != "hello":
		m.fail(&q, refusal{BadRequest, "the first message is the hello"})
	default:
		if err := handle(m, &q); err != nil {
			m.fail(&q, err)
		}
	}
}

// handlers are the types of messages a client may send.
var handlers = map[string]func(*member, *request) error{
	"hello": (*member).handleHello,
	"name":  (*member).handleName,
	"rooms": (*member).handleRooms,
	"join":  (*member).handleJoin,
	"leave": (*member).handleLeave,
	"say":   (*member).handleSay,
	"ping":  (*member).handlePing,
}

var (
	errName = refusal{BadName, "this cannot be a name: it is empty, too long, or has characters that do not show"}
	errRoom = refusal{BadRoom, "the name of a room has 1 to 32 of a-z, 0-9 and -"}
	errText = refusal{BadText, "a text is not empty, not too long, and without control characters"}
)

func (m *member) handleHello(q *request) error {
	if m.id != "" {
		return refusal{BadRequest, "one hello is enough"}
	}
	if !validToken(q.Session, 16, 64) {
		return refusal{BadRequest, "a session has 16 to 64 visible ASCII characters"}
	}
	config := &m.chat.config
	name, ok := cleanName(q.Name, config.MaxNameRunes)
	if !ok {
		return errName
	}
	m.hello.Stop()
	m.rooms = make(map[string]*room)
	m.chat.enter(m, q.Session, name)
	m.deliver(encode(welcome{
		Type: "welcome",
		You:  m.id,
		Name: m.name,
		Limits: limits{
			NameRunes:  config.MaxNameRunes,
			TextRunes:  config.MaxTextRunes,
			Rooms:      config.MaxRoomsPerMember,
			HistoryLen: max(config.HistoryMessages, 0),
		},
		Rooms: m.chat.list(),
	}))
	return nil
}

func (m *member) handleName(q *request) error {
	name, ok := cleanName(q.Name, m.chat.config.MaxNameRunes)
	if !ok {
		return errName
	}
	m.chat.setName(m, name)
	m.deliver(encode(presence{Type: "named", ID: m.id, Name: m.name}))
	for _, r := range m.rooms {
		r.rename(m)
	}
	return nil
}

func (m *member) handleRooms(*request) error {
	m.deliver(encode(rooms{Type: "rooms", Rooms: m.chat.list()}))
	return nil
}

func (m *member) handleJoin(q *request) error {
	if !validRoom(q.Room) {
		return errRoom
	}
	if m.rooms[q.Room] == nil && len(m.rooms) >= m.chat.config.MaxRoomsPerMember {
		return refusal{TooMany, "you are in as many rooms as you may be"}
	}
	r, err := m.chat.join(m, q)
	if err != nil {
		return err
	}
	m.rooms[q.Room] = r
	return nil
}

func (m *member) handleLeave(q *request) error {
	r := m.rooms[q.Room]
	if r == nil {
		return refusal{NotMember, "you are not in this room"}
	}
	delete(m.rooms, q.Room)
	m.chat.leave(m, r)
	m.deliver(encode(presence{Type: "parted", Room: q.Room}))
	return nil
}

func (m *member) handleSay(q *request) error {
	if !validToken(q.ID, 1, 64) {
		return refusal{BadRequest, "an id has 1 to 64 visible ASCII characters"}
	}
	text, ok := cleanText(q.Text, m.chat.config.MaxTextRunes)
	if !ok {
		return errText
	}
	r := m.rooms[q.Room]
	if r == nil {
		return refusal{NotMember, "you are not in this room"}
	}
	return r.publish(m, q.ID, text)
}

func (m *member) handlePing(q *request) error {
	m.deliver(encode(pong{Type: "pong", T: q.T, Time: m.chat.config.Now().UnixMilli()}))
	return nil
}
