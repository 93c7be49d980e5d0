package contender

import (
	"log/slog"
	"net"
	"os"

	"github.com/gale-server/gale/handlers/python"
)

func startGaleASGI(cfg Config) (net.Addr, error) { return startGalePython(cfg, "asgi", 0) }

func startGaleWSGI(cfg Config) (net.Addr, error) { return startGalePython(cfg, "wsgi", cfg.Threads) }

// startGalePython serves an application with one worker process.
func startGalePython(cfg Config, mode string, threads int) (net.Addr, error) {
	dir, err := storyFolder()
	if err != nil {
		return nil, err
	}
	h, err := python.New(python.Config{
		App: "story:" + cfg.App, Dir: dir, Mode: mode, Python: Python, Workers: 1, Threads: threads,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return nil, err
	}
	addr, err := startGale(cfg, h)
	if err != nil {
		return nil, err
	}
	if err := firstAnswer(addr, nil); err != nil {
		return nil, err
	}
	serving = Tree(os.Getpid())
	return addr, nil
}
