package contender

import (
	"context"
	"net"
	"net/http"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// serveHTTP serves h with net/http until the process ends.
func serveHTTP(h http.Handler) (net.Addr, error) {
	ln, err := listen()
	if err != nil {
		return nil, err
	}
	go func() { panic(http.Serve(ln, h)) }() // ends with the process
	return ln.Addr(), nil
}

func startGorilla(Config) (net.Addr, error) {
	var upgrader websocket.Upgrader
	return serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			if err := c.WriteMessage(kind, p); err != nil {
				return
			}
		}
	}))
}

func startCoder(Config) (net.Addr, error) {
	return serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1) // its default, 32 KiB, is below what --size may ask for
		ctx := context.Background()
		for {
			kind, p, err := c.Read(ctx)
			if err != nil {
				return
			}
			if err := c.Write(ctx, kind, p); err != nil {
				return
			}
		}
	}))
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes())
}
