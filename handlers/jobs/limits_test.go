package jobs_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/jobs"
)

// TestLimits holds the README's table of limits to the defaults.
func TestLimits(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	c := jobs.Defaults(t)
	for row, right := range map[string]bool{
		`\| 16 MiB \|.*jobs\.Config\.MaxBodyBytes`:                              c.MaxBodyBytes == 16<<20,
		`\| 256 MiB \|.*jobs\.Config\.MaxUploadBytes`:                           c.MaxUploadBytes == 256<<20,
		`\| 1 KiB \|.*handlers/jobs/socket\.go`:                                 jobs.MaxCommandBytes == 1<<10,
		`\| 8 \|.*handlers/jobs/poll\.go`:                                       jobs.MaxTags == 8,
		`\| 10,000 \|.*jobs\.Config\.MaxJobs`:                                   c.MaxJobs == 10_000,
		`\| 1000 \|.*jobs\.Config\.MaxFollowers`:                                c.MaxFollowers == 1000,
		`\| 55 s \|.*jobs\.Config\.MaxWait`:                                     c.MaxWait == 55*time.Second,
		`\| 256 MiB, for 5 min \|.*jobs\.Config\.MaxResultBytes.*\.KeepResults`: c.MaxResultBytes == 256<<20 && c.KeepResults == 5*time.Minute,
	} {
		if !right {
			t.Errorf("the limit is another than %s", row)
		}
		if !regexp.MustCompile(row).Match(readme) {
			t.Errorf("the README has no line %s", row)
		}
	}
}
