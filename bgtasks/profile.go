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
// carries already, those of a handler in pprof.Do, stay beside these.
func ProfileLabels(next Func) Func {
	return func(ctx context.Context) (err error) {
		info, _ := InfoFrom(ctx)
		pprof.Do(ctx, pprof.Labels("task", info.Name, "route", info.Route), func(ctx context.Context) {
			err = next(ctx)
		})
		return err
	}
}

var _ Middleware = ProfileLabels
