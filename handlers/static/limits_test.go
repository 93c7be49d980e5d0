package static

import (
	"os"
	"regexp"
	"testing"
	"time"
)

// TestLimits holds the README's table of limits to the defaults.
func TestLimits(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Config{Dir: "."}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for row, right := range map[string]bool{
		`\| 1 s \|.*static\.Config\.CheckInterval`:            c.CheckInterval == time.Second,
		`\| 60 s \|.*static\.Config\.IdleTimeout`:             c.IdleTimeout == 60*time.Second,
		`\| 256 \|.*static\.Config\.MaxOpenFiles`:             c.MaxOpenFiles == 256,
		`\| 64 MiB \|.*static\.Config\.MaxMemoryBytes`:        c.MaxMemoryBytes == 64<<20,
		`\| 256 KiB \|.*static\.Config\.MaxFileBytes`:         c.MaxFileBytes == 256<<10,
		`\| 1,024 \|.*static\.Config\.MaxMissing`:             c.MaxMissing == 1024,
		`\| 32 \|.*static\.Config\.MaxRanges`:                 c.MaxRanges == 32,
		`\| 10,000 \|.*static\.Config\.MaxEntries`:            c.MaxEntries == 10_000,
		`\| 4 KiB \|.*handlers/static/config\.go`:             maxPathBytes == 4<<10,
		`\| 32; 1,024 that wait \|.*static\.Config\.Blocking`: ownWorkers == 32 && ownQueue == 1024,
	} {
		if !right {
			t.Errorf("the limit is another than %s", row)
		}
		if !regexp.MustCompile(row).Match(readme) {
			t.Errorf("the README has no line %s", row)
		}
	}
}
