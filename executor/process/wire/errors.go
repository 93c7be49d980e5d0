package wire

import (
	"errors"
	"fmt"
)

// PeerError says how the peer broke the protocol. The stream cannot be read on.
type PeerError struct{ Reason string }

// Error is the reason.
func (e *PeerError) Error() string { return "wire: " + e.Reason }

func broken(format string, args ...any) *PeerError { return &PeerError{fmt.Sprintf(format, args...)} }

// VersionError says that the peer speaks another version of the protocol.
type VersionError struct{ Peer int }

// Error names both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("wire: the peer speaks version %d of the protocol, this side %d", e.Peer, Version)
}

// What Append methods return; nothing was appended.
var (
	// ErrState: the frame may not be sent now.
	ErrState = errors.New("wire: not allowed in this state")
	// ErrSize: the frame would be longer than agreed.
	ErrSize = errors.New("wire: too long")
)
