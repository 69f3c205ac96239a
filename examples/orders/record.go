package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// errNotReturned is recorded for a task that left by runtime.Goexit.
var errNotReturned = errors.New("the step did not return")

// recordTimeout bounds the writing down of an end.
const recordTimeout = 10 * time.Second

// record writes each attempt of a step into the database: its start before, and its end
// after, however it ended. Panics arrive here as errors.
func (f *workflow) record(order int64, position int) bgtasks.Middleware {
	return func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			attempt := attemptNow(ctx, order, position)
			note(ctx, f.store.StepStarted(ctx, attempt))
			return recordEnd(func(ctx context.Context, failure error) error {
				return f.store.StepEnded(ctx, attempt, failure)
			})(next)(ctx)
		}
	}
}

// attemptNow is the one that begins, by the context of its task.
func attemptNow(ctx context.Context, order int64, position int) Attempt {
	info, _ := bgtasks.InfoFrom(ctx)
	return Attempt{Order: order, Position: position, Number: info.Attempt, Began: time.Now()}
}

// recordEnd has how each attempt of a task ended written down: by an error, nil, a panic or
// runtime.Goexit, and also when the task's own time is over.
func recordEnd(end func(ctx context.Context, failure error) error) bgtasks.Middleware {
	return func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) (err error) {
			err = errNotReturned
			defer func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
				defer cancel()
				note(ctx, end(ctx, err))
			}()
			err = next(ctx)
			return err
		}
	}
}

// note logs that something could not be recorded. The task is not to fail for that: it would
// be done again.
func note(ctx context.Context, err error) {
	if err != nil {
		slog.ErrorContext(ctx, "not recorded", "error", err)
	}
}
