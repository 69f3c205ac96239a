package bgtasks

import (
	"context"
	"runtime/pprof"
)

// ProfileLabels labels what a task does, in CPU and goroutine profiles, with its name and
// its route (labels "task" and "route"): goroutines that it starts inherit the labels.
//
//	runner.Use(bgtasks.ProfileLabels)
//
// It is for Use or for Add, and costs nothing where it is not used. Labels that the context
// carries, those of a handler in pprof.Do, stay beside these.
func ProfileLabels(next Func) Func {
	return func(ctx context.Context) error {
		info, _ := InfoFrom(ctx)
		// The task is given ctx and not the labelled context: tasks that add tasks would chain
		// those up without end. So this is not pprof.Do, which passes it on.
		pprof.SetGoroutineLabels(pprof.WithLabels(ctx, pprof.Labels("task", info.Name, "route", info.Route)))
		defer pprof.SetGoroutineLabels(context.Background()) // the goroutine goes on with other tasks
		return next(ctx)
	}
}

var _ Middleware = ProfileLabels
