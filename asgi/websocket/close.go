package websocket

import (
	"encoding/binary"
	"unicode/utf8"
)

// Close codes (RFC 6455 §7.4.1 and the IANA registry).
const (
	CloseNormal             = 1000
	CloseGoingAway          = 1001
	CloseProtocolError      = 1002
	CloseUnsupportedData    = 1003
	CloseNoStatus           = 1005 // never on the wire: the peer's close had no code
	CloseAbnormal           = 1006 // never on the wire: the connection was lost
	CloseInvalidData        = 1007
	ClosePolicyViolation    = 1008
	CloseMessageTooBig      = 1009
	CloseMandatoryExtension = 1010
	CloseInternalError      = 1011
	CloseServiceRestart     = 1012
	CloseTryAgainLater      = 1013
	CloseBadGateway         = 1014
	CloseTLSHandshake       = 1015 // never on the wire
)

// MaxReasonBytes is the longest reason of a close: a control frame less the
// code.
const MaxReasonBytes = MaxControlBytes - 2

// onWire reports whether a close frame may carry code: those that RFC 6455
// §7.4.1 and the IANA registry define for it, and the ranges of §7.4.2 for
// libraries and applications.
func onWire(code int) bool {
	switch {
	case 1000 <= code && code <= 1003,
		1007 <= code && code <= 1014,
		3000 <= code && code <= 4999:
		return true
	}
	return false
}

// AppendClose appends our close, which ends sending: every later Append method
// fails with ErrCloseSent. It serves both to start the closing handshake and to
// answer the peer's close with the code of its event.
//
// CloseNoStatus stands for a close without code, which cannot carry a reason:
// it is left out. A reason longer than MaxReasonBytes is cut between two
// characters. A code that may not go on the wire and a reason that is not valid
// UTF-8 are a *MessageError. On an error dst and the machine are unchanged.
func (m *Machine) AppendClose(dst []byte, code int, reason string) ([]byte, error) {
	if m.closeSent {
		return dst, ErrCloseSent
	}
	if code == CloseNoStatus {
		m.closeSent = true
		return AppendHeader(dst, OpClose, 0), nil
	}
	if !onWire(code) {
		return dst, errSendCloseCode
	}
	if !utf8.ValidString(reason) {
		return dst, errSendCloseReason
	}
	reason = cutReason(reason)
	dst = AppendHeader(dst, OpClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	m.closeSent = true
	return append(dst, reason...), nil
}

// cutReason shortens a valid reason to what fits, between two characters.
func cutReason(reason string) string {
	if len(reason) <= MaxReasonBytes {
		return reason
	}
	end := MaxReasonBytes
	for !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}
