// Text that is made word by word, streamed as it is made: what a language model's
// answer looks like to its reader. The application is straight-line code; while
// the next word is not there, it waits without a goroutine. A reader who is slower
// than the writer holds it up, one who leaves ends it, and one who was cut off
// says with Last-Event-ID which word it has seen, as a browser's EventSource does by
// itself, and gets the next.
//
//	go run ./examples/07-sse-stream
//	curl -N http://127.0.0.1:8080/story
//	curl -N -H 'Last-Event-ID: 20' http://127.0.0.1:8080/story
package main

import (
	"context"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/sse"
)

const story = `In the beginning a server read a file and sent it. Then somebody wanted the file to be different each time,
and the server started a program for each request. Starting was slow, so the program stayed. It served one reader at a time, and
then many, each with a thread to wait in. Most of the threads did nothing but wait, and so, in the end, they were sent home: now
one loop waits for all, and wakes whoever has something to say.`

const page = `<!doctype html><meta charset="utf-8"><title>A story</title><p id="story"></p><script>
const story = document.getElementById("story"), words = new EventSource("/story");
words.onmessage = (e) => { story.append(e.data + " "); };
words.addEventListener("end", () => words.close());
</script>`

// writer is the application: it thinks for a pause before each word.
func writer(pause time.Duration) sse.Application {
	words := strings.Fields(story)
	return func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, w *sse.Writer) error {
		seen, _ := strconv.Atoi(sse.LastEventID(scope)) // none is 0, and so is nonsense
		for i := max(seen, 0); i < len(words); i++ {
			if err := asgi.Sleep(ctx, pause); err != nil {
				return err
			}
			if err := w.Send(ctx, &sse.Event{ID: strconv.Itoa(i + 1), Data: []byte(words[i])}); err != nil {
				return err
			}
		}
		return nil
	}
}

// run serves on addr until ctx is done, and says where as soon as it is known.
func run(ctx context.Context, addr string, pause time.Duration, ready func(net.Addr)) error {
	mux := new(handlers.Mux)
	mux.HTTP("GET /", handlers.NewFixed(200, page, asgi.Header{Name: "content-type", Value: "text/html; charset=utf-8"}))
	// A story that is being told when the server is to stop is told to its end.
	mux.HTTP("GET /story", sse.Coroutine(writer(pause), &sse.Options{Drain: sse.DrainFinishes}))

	// A browser that leaves only ends its half of the connection.
	srv, err := server.New(server.Config{Handler: mux, HalfClose: server.HalfCloseDisconnects})
	if err != nil {
		return err
	}
	bound, err := srv.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ready(bound)
	return srv.Run(ctx)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, "127.0.0.1:8080", 100*time.Millisecond, func(addr net.Addr) {
		log.Printf("open http://%s, or try curl -N http://%[1]s/story", addr)
	})
	if err != nil {
		log.Fatal(err)
	}
}
