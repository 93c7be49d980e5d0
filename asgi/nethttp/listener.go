package nethttp

import (
	"net"
	"sync"

	"github.com/gale-server/gale/eventloop/unixsocket"
)

// listen opens a listener. A Unix socket takes the place of one that nobody
// listens on any more.
func listen(network, address string) (net.Listener, error) {
	if !unixsocket.HasFile(network, address) {
		return net.Listen(network, address)
	}
	l, file, err := unixsocket.Listen(address)
	if err != nil {
		return nil, err
	}
	return &unixListener{Listener: l, file: file}, nil
}

// unixListener removes its socket's file when it is closed, if it is still its
// own.
//
// Safe for concurrent use.
type unixListener struct {
	net.Listener
	file unixsocket.File
	once sync.Once
}

func (l *unixListener) Close() error {
	l.once.Do(l.file.Remove)
	return l.Listener.Close()
}
