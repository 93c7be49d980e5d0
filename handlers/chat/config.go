package chat

import "time"

// Config holds the limits of a chat. The zero value of every field means its
// default; a negative number is refused by [New] unless the field says what it
// means.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// Rooms are always there, also when they are empty. Default: "lobby".
	Rooms []string

	// MaxRooms bounds the rooms that exist at a time. A room that is not among
	// Rooms begins when somebody joins it and ends, with its history, when the
	// last one leaves. Default 100: each may hold a full history.
	MaxRooms int

	// MaxRoomsPerMember bounds the rooms one client is in. Default 16: more
	// than a list on a phone shows.
	MaxRoomsPerMember int

	// MaxMembersPerRoom bounds the clients in a room. Default 500: a message
	// goes to all of them, and so does each arrival.
	MaxMembersPerRoom int

	// HistoryMessages is how many messages a room remembers, for those who come
	// back and those who arrive. Default 50: some screens full. Negative: none;
	// then a client that was cut off has a gap, and a message it sends twice is
	// published twice.
	HistoryMessages int

	// MaxNameRunes bounds a name, in code points. Default 24: fits a line on a
	// phone. The number that tells equal names apart comes on top.
	MaxNameRunes int

	// MaxTextRunes bounds the text of a message, in code points. Default 2000.
	MaxTextRunes int

	// MaxMessageBytes bounds one message of a client on the wire; a longer one
	// closes the connection with 1009. Default 16 KiB: MaxTextRunes of the
	// longest encoding, escaped, fit.
	MaxMessageBytes int

	// MessageRate and MessageBurst bound what one client may send, of any type:
	// a burst, and messages per second in the long run; above that the client
	// is told to wait. Default 5 and 40: nobody types faster, and a page that
	// comes back joins its rooms and sends what it has kept.
	MessageRate  float64
	MessageBurst int

	// MaxFaults is how many mistakes close a connection with 1008; FaultPeriod
	// is the time in which one is forgiven. Default 10 and 10 s: a page has
	// none, a program that has one has many.
	MaxFaults   int
	FaultPeriod time.Duration

	// HelloTimeout bounds the wait for the hello. Default 10 s.
	HelloTimeout time.Duration

	// MaxPendingBytes bounds what waits for a client whose connection is
	// congested, on top of the connection's own outbox; a client beyond it is
	// closed with 1013 and may come back for what it has missed. Default
	// 512 KiB: a history of the longest texts fits.
	MaxPendingBytes int

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// withDefaults returns a copy with every default filled in.
func (c Config) withDefaults() Config {
	if c.Rooms == nil {
		c.Rooms = []string{"lobby"}
	}
	standard(&c.MaxRooms, 100)
	standard(&c.MaxRoomsPerMember, 16)
	standard(&c.MaxMembersPerRoom, 500)
	standard(&c.HistoryMessages, 50)
	standard(&c.MaxNameRunes, 24)
	standard(&c.MaxTextRunes, 2000)
	standard(&c.MaxMessageBytes, 16<<10)
	standard(&c.MessageRate, 5)
	standard(&c.MessageBurst, 40)
	standard(&c.MaxFaults, 10)
	standard(&c.FaultPeriod, 10*time.Second)
	standard(&c.HelloTimeout, 10*time.Second)
	standard(&c.MaxPendingBytes, 512<<10)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func standard[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// limits is the part of a Config that clients are told.
type limits struct {
	NameRunes  int `json:"name_runes"`
	TextRunes  int `json:"text_runes"`
	Rooms      int `json:"rooms"`
	HistoryLen int `json:"history"`
}
