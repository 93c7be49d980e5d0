package websocket

import "errors"

// Error says that the peer broke a rule of the protocol. Reason is short enough
// for, and may be sent as, the reason of a close; it holds no bytes of the peer.
//
// Safe for concurrent use: immutable.
type Error struct {
	Code   int    // the close code to send: 1002, 1007 or 1009
	Reason string // what the peer did, and the clause that forbids it
}

func (e *Error) Error() string { return "websocket: " + e.Reason }

// CloseCode returns Code.
func (e *Error) CloseCode() int { return e.Code }

// What the peer can do wrong once the connection is open.
var (
	errReservedBits      = &Error{CloseProtocolError, "reserved bit is set without an extension (RFC 6455 §5.2)"}
	errReservedOpcode    = &Error{CloseProtocolError, "opcode is reserved (RFC 6455 §5.2)"}
	errUnmasked          = &Error{CloseProtocolError, "frame is not masked (RFC 6455 §5.1)"}
	errLengthTopBit      = &Error{CloseProtocolError, "64-bit length has its top bit set (RFC 6455 §5.2)"}
	errNothingToContinue = &Error{CloseProtocolError, "continuation without a message (RFC 6455 §5.4)"}
	errMessageUnfinished = &Error{CloseProtocolError, "new message inside a fragmented one (RFC 6455 §5.4)"}
	errControlFragmented = &Error{CloseProtocolError, "control frame is fragmented (RFC 6455 §5.5)"}
	errControlTooLong    = &Error{CloseProtocolError, "control frame is longer than 125 bytes (RFC 6455 §5.5)"}
	errCloseTooShort     = &Error{CloseProtocolError, "close frame holds half a code (RFC 6455 §5.5.1)"}
	errCloseCode         = &Error{CloseProtocolError, "close code may not be sent (RFC 6455 §7.4)"}
	errCloseReason       = &Error{CloseInvalidData, "close reason is not valid UTF-8 (RFC 6455 §5.5.1)"}
	errNotUTF8           = &Error{CloseInvalidData, "text message is not valid UTF-8 (RFC 6455 §8.1)"}
	errTooBig            = &Error{CloseMessageTooBig, "message is larger than the limit (RFC 6455 §10.4)"}
)

// ErrCloseSent says that our close was sent before, after which nothing may be
// sent (RFC 6455 §5.5.1).
var ErrCloseSent = errors.New("websocket: close was sent already (RFC 6455 §5.5.1)")

// MessageError says that the application asked to send what the protocol
// forbids; nothing was written.
//
// Safe for concurrent use: immutable.
type MessageError struct {
	Reason string // what was asked for, and the clause that forbids it
}

func (e *MessageError) Error() string { return "websocket: " + e.Reason }

// What the application can do wrong.
var (
	errSendText        = &MessageError{"text to send is not valid UTF-8 (RFC 6455 §5.6)"}
	errSendKind        = &MessageError{"message to send is neither text nor binary (RFC 6455 §5.6)"}
	errSendControl     = &MessageError{"control payload to send is longer than 125 bytes (RFC 6455 §5.5)"}
	errSendCloseCode   = &MessageError{"close code to send may not go on the wire (RFC 6455 §7.4)"}
	errSendCloseReason = &MessageError{"close reason to send is not valid UTF-8 (RFC 6455 §5.5.1)"}
)
