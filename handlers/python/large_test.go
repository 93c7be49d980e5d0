package python

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/internal/longtest"
)

const largeASGI = `
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError
    size = int(scope["query_string"] or b"0")
    got = sum = 0
    more = True
    while more:
        m = await receive()
        got += len(m["body"])
        more = m["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"got", b"%d" % got)]})
    piece = bytes(range(256)) * 1024
    while size > 0:
        await send({"type": "http.response.body", "body": piece[:size], "more_body": True})
        size -= len(piece)
    await send({"type": "http.response.body"})
`

const largeWSGI = `
def app(environ, start_response):
    size = int(environ["QUERY_STRING"] or 0)
    got = len(environ["wsgi.input"].read())
    start_response("200 OK", [("Got", str(got))])
    piece = bytes(range(256)) * 1024
    while size > 0:
        yield piece[:size]
        size -= len(piece)
`

// TestLarge has bodies that are far larger than any window go through real workers, both
// ways and at the same time.
func TestLarge(t *testing.T) {
	for mode, source := range map[string]string{"asgi": largeASGI, "wsgi": largeWSGI} {
		t.Run(mode, func(t *testing.T) {
			config := application(t, source)
			config.Mode = mode
			log := &lines{wrote: make(chan struct{}, 1)}
			config.Logger = slog.New(slog.NewTextHandler(log, nil))
			enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
				h, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				return h
			}, func(t *testing.T, s *enginetest.Server) {
				size := int64(longtest.Count(4<<20, 40<<20)) + 17
				errs := make(chan string, 4)
				for range cap(errs) {
					go func() { errs <- exchangeLarge(s, size) }() // ends with the exchange
				}
				for range cap(errs) {
					if problem := <-errs; problem != "" {
						t.Errorf("%s\n%s", problem, log)
					}
				}
			})
		})
	}
}

// exchangeLarge sends and receives a body, and says what was wrong.
func exchangeLarge(s *enginetest.Server, size int64) string {
	body := io.LimitReader(zeros{}, size)
	request, err := http.NewRequest("POST", "http://"+s.Addr+"/?"+strconv.FormatInt(size, 10), body)
	if err != nil {
		return err.Error()
	}
	request.ContentLength = size
	response, err := s.Client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	var wrong strings.Builder
	if got := response.Header.Get("Got"); got != strconv.FormatInt(size, 10) {
		wrong.WriteString("the application got " + got + " bytes; ")
	}
	p := make([]byte, 64<<10)
	at := int64(0)
	for {
		n, err := response.Body.Read(p)
		for i, c := range p[:n] {
			if c != byte(at+int64(i)) {
				return "another byte at " + strconv.FormatInt(at+int64(i), 10)
			}
		}
		if at += int64(n); err == io.EOF {
			break
		} else if err != nil {
			return err.Error()
		}
	}
	if at != size {
		wrong.WriteString(strconv.FormatInt(at, 10) + " bytes of " + strconv.FormatInt(size, 10) + " came")
	}
	return wrong.String()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
