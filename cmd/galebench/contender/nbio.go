package contender

import (
	"net"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

// nbioMaxLoad is the number of conns above which it refuses; its own default,
// 10,000, is what the idle workload opens.
const nbioMaxLoad = 1 << 20

func startNbio(cfg Config) (net.Addr, error) {
	logging.SetLevel(logging.LevelError)
	upgrader := websocket.NewUpgrader()
	upgrader.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, p []byte) {
		_ = c.WriteMessage(kind, p)
	})
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{"127.0.0.1:0"},
		NPoller:                 cfg.Loops,
		MaxLoad:                 nbioMaxLoad,
		ReleaseWebsocketPayload: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = upgrader.Upgrade(w, r, nil)
		}),
	})
	if err := engine.Start(); err != nil {
		return nil, err
	}
	return net.ResolveTCPAddr("tcp4", engine.Addrs[0])
}
