//go:build !linux

package nethttp

import "net"

// hangups tells nothing: these systems report the end of a stream to who reads.
//
// Safe for concurrent use.
type hangups struct{}

func (*hangups) watch(net.Conn, *departure) (forget func()) { return func() {} }
func (*hangups) close()                                     {}
