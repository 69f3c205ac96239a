package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// errNotReturned is recorded for a step that left by runtime.Goexit.
var errNotReturned = errors.New("the step did not return")

// recordTimeout bounds the writing down of a step's end.
const recordTimeout = 10 * time.Second

// record writes each attempt of a step into the database: its start before, and its end
// after, however it ended. Panics arrive here as errors.
func (f *workflow) record(order int64, position int) bgtasks.Middleware {
	return func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) (err error) {
			info, _ := bgtasks.InfoFrom(ctx)
			f.note(ctx, f.store.StepStarted(ctx, order, position, info.Attempt))
			err = errNotReturned
			defer func() { f.note(ctx, f.ended(ctx, order, position, err)) }()
			err = next(ctx)
			return err
		}
	}
}

// note logs that something could not be recorded. The step is not to fail for that: it would
// be done again.
func (f *workflow) note(ctx context.Context, err error) {
	if err != nil {
		slog.ErrorContext(ctx, "step not recorded", "error", err)
	}
}

// ended also works when the step's own time is over.
func (f *workflow) ended(ctx context.Context, order int64, position int, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return f.store.StepEnded(ctx, order, position, failure)
}
