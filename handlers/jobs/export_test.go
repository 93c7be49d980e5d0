package jobs

import (
	"fmt"
	"testing"

	"github.com/gale-server/gale/executor"
)

// Held tells what the service holds, and checks that its tables agree.
func (s *Service) Held() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bytes int64
	waiting := 0
	for _, j := range s.jobs {
		if j.result != nil {
			bytes += int64(len(j.result.body))
		}
		if j.state == queued {
			waiting++
		}
		if _, ok := j.group.jobs[j]; !ok || j.gone || len(j.topic.followers) > 0 && j.state.final() {
			return fmt.Sprintf("a job that is not in its group, or followed after its end: %+v", j)
		}
	}
	for name, g := range s.groups {
		if len(g.jobs) == 0 && len(g.topic.followers) == 0 {
			return fmt.Sprintf("a group %q of nothing", name)
		}
	}
	if bytes != s.bytes || waiting != s.waiting || s.kept.Len() > s.ended.Len() {
		return fmt.Sprintf("%d bytes, counted as %d; %d jobs wait, counted as %d", bytes, s.bytes, waiting, s.waiting)
	}
	return fmt.Sprintf("%d bytes of uploads, %d of results, %d jobs wait", s.uploads.Load(), s.bytes, s.waiting)
}

// Followers returns how many follow a job.
func (s *Service) Followers(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.jobs[id].topic.followers)
}

// The bounds that are no fields.
const (
	MaxCommandBytes = maxCommandBytes
	MaxTags         = maxTags
)

// Defaults is a Config with every default filled in.
func Defaults(t testing.TB) Config {
	t.Helper()
	c, err := Config{Class: new(executor.Class), Accept: func(*Request) (executor.Job, error) { return executor.Job{}, nil }}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
