package executor

import (
	"context"
	"runtime/pprof"
)

// The labels of a job's goroutine in profiles.
const (
	classLabel = "gale.class"
	jobLabel   = "gale.job"
)

// labels keeps the label sets of a class, since making one costs more than many
// a job. The class's lock guards it.
type labels map[string]context.Context

// maxLabels bounds what is kept of labels that do not repeat.
const maxLabels = 256

func (l *labels) of(class, job string) context.Context {
	if ctx := (*l)[job]; ctx != nil {
		return ctx
	}
	set := pprof.Labels(classLabel, class)
	if job != "" {
		set = pprof.Labels(classLabel, class, jobLabel, job)
	}
	ctx := pprof.WithLabels(context.Background(), set)
	if *l == nil {
		*l = make(labels)
	}
	if len(*l) < maxLabels {
		(*l)[job] = ctx
	}
	return ctx
}

func setProfile(ctx context.Context) { pprof.SetGoroutineLabels(ctx) }
