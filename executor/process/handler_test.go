package process

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
)

// thumbnails is an application in coroutine form: what `await
// loop.run_in_executor(process_pool, thumbnail, picture)` is in Python.
func thumbnails(class *executor.Class, pool *Pool) asgi.Application {
	type size struct {
		Width  int `json:"width"`
		Height int `json:"height"`
	}
	return func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if scope.Type != asgi.ScopeHTTP {
			return asgi.ErrUnsupportedScope
		}
		picture, err := handlers.ReadAll(ctx, scope, receive, 1<<20)
		if err != nil {
			return err
		}
		small, err := executor.Run(ctx, class, func(ctx context.Context) (Blob[size], error) {
			return Call[Blob[size], Blob[size]](ctx, pool, "thumbnail", Blob[size]{size{60, 60}, picture})
		})
		if err != nil {
			return err
		}
		err = send(ctx, &asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{{Name: "content-type", Value: "image/png"}}})
		if err != nil {
			return err
		}
		return send(ctx, &asgi.HTTPResponseBody{Body: small.Data})
	}
}

// Pillow makes thumbnails for the HTTP clients of a handler.
func TestPillowHandler(t *testing.T) {
	if out, err := exec.Command(interpreter(t), "-c", "import PIL").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: Pillow is not installed; get it with: apt-get install python3-pil (%s)", bytes.TrimSpace(out))
	}
	pool := python(t, pillowJobs, Config{Workers: 2})
	e := must[*executor.Executor](t)(executor.New(executor.Config{Classes: []executor.ClassConfig{{Name: "pillow", Workers: 2}}}))
	srv := must[*server.Server](t)(server.New(server.Config{Handler: asgi.Coroutine(thumbnails(e.Class("pillow"), pool))}))
	addr := must[net.Addr](t)(srv.Listen("tcp", "127.0.0.1:0"))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }() // ends with ctx, and is waited for below
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := e.Shutdown(limited(t)); err != nil {
			t.Error(err)
		}
	}()
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 600, 400)), nil); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var answers []<-chan result[image.Image]
	for range 8 {
		answers = append(answers, async(func() (image.Image, error) {
			req := must[*http.Request](t)(http.NewRequestWithContext(limited(t), "POST", "http://"+addr.String(), bytes.NewReader(picture.Bytes())))
			resp, err := client.Do(req)
			if err != nil {
				return nil, err
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				return nil, err
			}
			return png.Decode(bytes.NewReader(body))
		}))
	}
	for _, a := range answers {
		if small := <-a; small.err != nil || small.value.Bounds() != image.Rect(0, 0, 60, 40) {
			t.Errorf("%+v", small)
		}
	}
}
