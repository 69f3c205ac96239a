package main

import (
	"context"
	"errors"
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
			if err := f.store.StepStarted(ctx, order, position, info.Attempt); err != nil {
				return err
			}
			err = errNotReturned
			defer func() {
				err = errors.Join(err, f.ended(ctx, order, position, err))
			}()
			err = next(ctx)
			return err
		}
	}
}

// ended also works when the step's own time is over.
func (f *workflow) ended(ctx context.Context, order int64, position int, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return f.store.StepEnded(ctx, order, position, failure)
}
