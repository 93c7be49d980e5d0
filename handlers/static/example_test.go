package static_test

import (
	"log"
	"testing/fstest"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/static"
)

// A folder, and beside it what the program makes itself.
func ExampleNew() {
	e, err := executor.New(executor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	files, err := static.New(static.Config{
		Dir:      "./site",
		Blocking: e.Class(executor.Blocking),
		NotFound: "404.html",
		Cache:    []static.CacheRule{{Pattern: "*.<hash>.*", CacheControl: static.Immutable}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()
	mux := new(handlers.Mux)
	mux.HTTP("/*", files)
	mux.HTTP("/api/time", handlers.NewFixed(200, "now\n"))
	// server.Config{Handler: mux}
}

// An application whose pages have addresses that only the browser knows: each is
// answered with the one page there is.
func ExampleConfig_singlePage() {
	files, err := static.New(static.Config{
		Dir:      "./dist",
		Fallback: "index.html",
		Cache:    []static.CacheRule{{Pattern: "/assets/**", CacheControl: static.Immutable}},
		Headers:  []asgi.Header{{Name: "content-security-policy", Value: "default-src 'self'"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()
}

// Files that are a part of the program, with //go:embed, are held in memory.
func ExampleConfig_embedded() {
	var page fstest.MapFS // embed.FS
	files, err := static.New(static.Config{FS: page})
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()
}
