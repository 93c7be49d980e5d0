package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
)

func start(t testing.TB, cfg server.Config) string {
	t.Helper()
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return addr.String()
}

func echoApp(ctx context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	switch s.Type {
	case asgi.ScopeHTTP:
		var body []byte
		for more := true; more; {
			ev, err := receive(ctx)
			if err != nil {
				return err
			}
			switch e := ev.(type) {
			case *asgi.HTTPRequest:
				body = append(body, e.Body...)
				more = e.MoreBody
			case *asgi.HTTPDisconnect:
				return nil
			}
		}
		if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: body})
	case asgi.ScopeWebSocket:
		for {
			ev, err := receive(ctx)
			if err != nil {
				return err
			}
			switch e := ev.(type) {
			case *asgi.WebSocketConnect:
				err = send(ctx, &asgi.WebSocketAccept{})
			case *asgi.WebSocketReceive:
				err = send(ctx, &asgi.WebSocketSend{Kind: e.Kind, Data: e.Data})
			case *asgi.WebSocketDisconnect:
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	return asgi.ErrUnsupportedScope
}

func TestSmoke(t *testing.T) {
	addr := start(t, server.Config{Handler: asgi.Coroutine(echoApp)})
	for range 3 {
		big := strings.Repeat("x", 300000)
		res, err := http.Post("http://"+addr+"/a%20b?c=d", "text/plain", strings.NewReader(big))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || string(b) != big || res.StatusCode != 200 {
			t.Fatal(err, len(b), res.StatusCode, res.Header)
		}
	}
	ws, res, err := gorilla.DefaultDialer.Dial("ws://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err, res)
	}
	defer ws.Close() // else the server waits for it
	for i := range 100 {
		msg := strings.Repeat("y", i*1000)
		if err := ws.WriteMessage(gorilla.TextMessage, []byte(msg)); err != nil {
			t.Fatal(err)
		}
		_, got, err := ws.ReadMessage()
		if err != nil || string(got) != msg {
			t.Fatal(i, err, len(got))
		}
	}
	ws.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
	if _, _, err := ws.ReadMessage(); !gorilla.IsCloseError(err, 1000) {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
