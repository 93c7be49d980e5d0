// Package chat is a chat over WebSocket as a handler in event form: rooms,
// names, who is here, and a history that lets a page that was cut off go on
// where it stopped. A connection costs no goroutine.
//
// # Protocol
//
// Every message is a text message with one JSON object; its key "type" says what
// it is. Unknown keys are ignored. Times are milliseconds since 1970 by the
// server's clock.
//
// The client sends:
//
//	type   keys                   meaning
//	hello  session, name          who I am; the first message, once
//	name   name                   call me so from now on
//	rooms                         which rooms are there?
//	join   room, epoch?, seq?     let me in; I have seen the messages up to seq of epoch
//	leave  room                   let me out
//	say    room, id, text         publish; id is the client's own for this message
//	ping   t                      answered with the same t
//
// The server sends:
//
//	type     keys                                       meaning
//	welcome  you, name, limits, rooms                   answer to hello; you is the member's id
//	named    room?, id, name                            a member of the room, or you, has this name now
//	rooms    rooms: [{room, members, permanent}]        the rooms and how many are in each
//	joined   room, epoch, seq, gap, members, messages   you are in; what you have missed, oldest first
//	parted   room                                       you are out
//	arrived  room, id, name                             somebody came
//	left     room, id, name                             somebody went
//	message  room, seq, time, from, name, id, text      a published message
//	pong     t, time                                    answer to ping
//	error    code, text, room?, id?, retry?             your message was not carried out; retry is in milliseconds
//	drain                                               the server is about to stop; come back after the close
//
// The codes of errors are the constants of [ErrorCode].
//
// A session is a secret the client makes up, of 16 to 64 characters. It outlives
// the connection: a hello with the session of an older connection takes its
// place, and the older one is closed with 4001. The member's public id is
// derived from it and reveals nothing about it.
//
// Names are unique without regard to case: who asks for a name that is taken
// gets it with a number after it. Messages of a room carry the numbers 1, 2,
// 3 ... within an epoch, which is the life of the room in this process. A client
// that joins with the epoch and number it has seen gets exactly what it has
// missed; gap is the number of messages in between that are no longer in the
// history, or -1 if the epoch is another one. A say whose id is in the history
// is not published again: the sender gets the message as it was published.
//
// The server closes with 1000 when the client closes, 1008 after too many
// mistakes or without a hello in time, 1009 for a message above the limit, 1012
// when it drains, 1013 when the client does not take its messages fast enough,
// 4001 as said above.
//
// # What this package is not
//
// It keeps nothing on disk, and one room is in one process.
//
// # Concurrency
//
// Members live on the loops of their connections. A room has a lock; who
// publishes holds it while the message, encoded once, is put into the outbox of
// each member, and each outbox is emptied by its own loop.
//
// # Limits
//
// Every limit is a field of [Config].
//
// # Terminology
//
// A member is one client, for the life of its connection. A fault is a message
// that breaks the protocol or the rate.
//
// # Specifications
//
//   - Close codes: https://www.rfc-editor.org/rfc/rfc6455#section-7.4 and
//     https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
package chat
