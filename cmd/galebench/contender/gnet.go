package contender

import (
	"net"

	"github.com/panjf2000/gnet/v2"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// gnetEcho echoes bytes as an application of gnet.
type gnetEcho struct {
	gnet.BuiltinEventEngine
	booted chan gnet.Engine
}

func (e *gnetEcho) OnBoot(engine gnet.Engine) gnet.Action {
	e.booted <- engine
	return gnet.None
}

func (e *gnetEcho) OnTraffic(c gnet.Conn) gnet.Action {
	p, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	if _, err := c.Write(p); err != nil {
		return gnet.Close
	}
	return gnet.None
}

func startGnet(cfg Config) (net.Addr, error) {
	e := &gnetEcho{booted: make(chan gnet.Engine, 1)}
	failed := make(chan error, 1)
	go func() { // ends with the process
		failed <- gnet.Run(e, "tcp://127.0.0.1:0", gnet.WithNumEventLoop(cfg.Loops),
			gnet.WithTCPNoDelay(gnet.TCPNoDelay), gnet.WithLogger(zap.NewNop().Sugar()))
	}()
	select {
	case err := <-failed:
		return nil, err
	case engine := <-e.booted:
		return gnetAddr(engine)
	}
}

// gnetAddr asks the engine's listener for its port.
func gnetAddr(engine gnet.Engine) (net.Addr, error) {
	fd, err := engine.Dup()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	inet4 := name.(*unix.SockaddrInet4)
	return &net.TCPAddr{IP: inet4.Addr[:], Port: inet4.Port}, nil
}
