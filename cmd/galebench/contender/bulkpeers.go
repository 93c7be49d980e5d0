package contender

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/valyala/fasthttp"

	"github.com/gale-server/gale/cmd/galebench/load"
)

// The peers' bulk servers. An upload is read in large pieces, which is more than what
// io.Copy makes of it.
const uploadPiece = 64 << 10

var uploadPieces = sync.Pool{New: func() any { return new([uploadPiece]byte) }}

// countAll reads r to its end.
func countAll(r io.Reader) (n int, err error) {
	p := uploadPieces.Get().(*[uploadPiece]byte)
	defer uploadPieces.Put(p)
	for {
		k, err := r.Read(p[:])
		n += k
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func startNetHTTPBulk(cfg Config) (net.Addr, error) {
	payload := load.Payload(cfg.TransferBytes)
	return serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := bodyBytes
		switch r.URL.Path {
		case load.DownPath:
			body = payload
		case load.UpPath:
			n, err := countAll(http.MaxBytesReader(w, r.Body, int64(cfg.TransferBytes)))
			if err != nil {
				return
			}
			body = receipt(n)
		}
		h := w.Header()
		h["Content-Type"] = contentTypeValue
		h["Server"] = serverValue
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
		_, _ = w.Write(body)
	}))
}

func startFastHTTPBulk(cfg Config) (net.Addr, error) {
	ln, err := listen()
	if err != nil {
		return nil, err
	}
	payload := load.Payload(cfg.TransferBytes)
	srv := &fasthttp.Server{
		Name:               ServerName,
		MaxRequestBodySize: cfg.TransferBytes,
		StreamRequestBody:  true, // else a body is gathered in memory
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType(ContentType)
			switch string(ctx.Path()) {
			case load.DownPath:
				ctx.Response.SetBodyRaw(payload)
			case load.UpPath:
				n, err := countAll(ctx.RequestBodyStream())
				if err != nil {
					ctx.SetConnectionClose()
					return
				}
				ctx.Response.SetBodyRaw(receipt(n))
			default:
				ctx.Response.SetBodyRaw(bodyBytes)
			}
		},
	}
	go func() { panic(srv.Serve(ln)) }() // ends with the process
	return ln.Addr(), nil
}

func startGorillaBulk(cfg Config) (net.Addr, error) {
	payload := load.Payload(cfg.TransferBytes)
	var upgrader websocket.Upgrader
	return serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		c.SetReadLimit(int64(cfg.TransferBytes))
		for {
			kind, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			if err := c.WriteMessage(kind, answerTo(r.URL.Path, p, payload)); err != nil {
				return
			}
		}
	}))
}

// answerTo is what a message is answered with.
func answerTo(path string, message, payload []byte) []byte {
	switch path {
	case load.DownPath:
		return payload
	case load.UpPath:
		return receipt(len(message))
	default:
		return message
	}
}

func startGwsBulk(cfg Config) (net.Addr, error) {
	options := &gws.ServerOption{ReadMaxPayloadSize: cfg.TransferBytes, WriteMaxPayloadSize: cfg.TransferBytes}
	payload := load.Payload(cfg.TransferBytes)
	upgraders := make(map[string]*gws.Upgrader)
	for _, path := range []string{"/", load.EchoPath, load.DownPath, load.UpPath} {
		upgraders[path] = gws.NewUpgrader(gwsBulk{path: path, payload: payload}, options)
	}
	return serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upgrader, ok := upgraders[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		c, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		go c.ReadLoop() // ends with the conn; so that what net/http holds is freed
	}))
}

type gwsBulk struct {
	gws.BuiltinEventHandler
	path    string
	payload []byte
}

func (b gwsBulk) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, answerTo(b.path, m.Bytes(), b.payload))
}
