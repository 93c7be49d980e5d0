package cgi

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/gale-server/gale/executor"
)

// TestLimits holds the README's table of limits to the defaults.
func TestLimits(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Config{Dir: ".", Class: new(executor.Class)}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for row, right := range map[string]bool{
		`\| 60 s \|.*cgi\.Config\.HeaderTimeout`:      c.HeaderTimeout == 60*time.Second,
		`\| 10 min \|.*cgi\.Config\.Timeout`:          c.Timeout == 10*time.Minute,
		`\| 2 s \|.*cgi\.Config\.KillGrace`:           c.KillGrace == 2*time.Second,
		`\| 256 MiB \|.*cgi\.Config\.MaxBodyBytes`:    c.MaxBodyBytes == 256<<20,
		`\| 64 KiB \|.*cgi\.Config\.SpoolMemoryBytes`: c.SpoolMemoryBytes == 64<<10,
		`\| 1 GiB \|.*cgi\.Config\.MaxSpoolBytes`:     c.MaxSpoolBytes == 1<<30,
		`\| 64 KiB \|.*cgi\.Config\.MaxHeadBytes`:     c.MaxHeadBytes == 64<<10,
		`\| 4 GiB \|.*cgi\.Config\.MaxOutputBytes`:    c.MaxOutputBytes == 4<<30,
		`\| 64 KiB \|.*cgi\.Config\.MaxStderrBytes`:   c.MaxStderrBytes == 64<<10,
		`\| 128 KiB \|.*cgi\.Config\.MaxEnvBytes`:     c.MaxEnvBytes == 128<<10,
		`\| none \|.*cgi\.Config\.Limits`:             c.Limits == Limits{},
		`\| 10 \|.*handlers/cgi/handler\.go`:          maxRedirects == 10,
	} {
		if !right {
			t.Errorf("the limit is another than %s", row)
		}
		if !regexp.MustCompile(row).Match(readme) {
			t.Errorf("the README has no line %s", row)
		}
	}
}
