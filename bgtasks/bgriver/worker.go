package bgriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/riverqueue/river"
)

// worker runs units for River.
type worker[Tx any] struct {
	river.WorkerDefaults[unit]
	*engine[Tx]
}

// Work is one attempt of a unit. What a step returns reaches River by way of ResumableStep,
// which runs no further step after an error, and hooks and middleware of River's by Work's own error.
func (w *worker[Tx]) Work(ctx context.Context, job *river.Job[unit]) (failed error) {
	m, err := metadataOf(job.JobRow)
	if err != nil {
		return err
	}
	done, err := m.done(job.Args)
	if err != nil {
		return err
	}
	if err := w.leave(job, done); err != nil {
		return err
	}
	ctx = m.Unit.unpack(ctx)
	for i := range job.Args.Steps {
		river.ResumableStep(ctx, job.Args.recorded(i), nil, func(ctx context.Context) error {
			err := w.outlasted(ctx, w.step(withKey(ctx, stepKey(m.Unit.Key, i+1)), job, m.Unit, i))
			if err != nil && i > 0 {
				w.forget(ctx, job)
			}
			failed = storable(err)
			return failed
		})
	}
	return failed
}

// storable is err with a text that Postgres can store. One with a NUL in it, which may come from anywhere,
// would fail the statement by which River records the ends of all units of a moment, and its repetitions.
func storable(err error) error {
	if err == nil || !strings.ContainsRune(err.Error(), 0) {
		return err
	}
	return withoutNUL{err}
}

type withoutNUL struct{ error }

func (e withoutNUL) Error() string { return strings.ReplaceAll(e.error.Error(), "\x00", "\uFFFD") }
func (e withoutNUL) Unwrap() error { return e.error }

// outlasted says so if it was the unit's time that was up: to the step, whose error this is, that is a
// context that has ended, like any other.
func (w *worker[Tx]) outlasted(ctx context.Context, err error) error {
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("the unit ran for longer than Config.River.JobTimeout (%v), which is for all its steps together: %w", w.jobTimeout, err)
}

// untilNewer is how long a unit that this program can't run is left to others.
const untilNewer = 30 * time.Second

// leave has River give the unit back, at no cost of an attempt, if one of the steps that are
// still to be done is not known here. The unit stays as it is for the node that knows it.
func (w *worker[Tx]) leave(job *river.Job[unit], done int) error {
	for i, s := range job.Args.Steps[done:] {
		if w.tasks[s.Task] != nil {
			continue
		}
		w.runner.Logger().LogAttrs(context.Background(), slog.LevelError,
			"bgriver: unit left to other nodes: this program has no such task. Was it added by a newer version, or is the task missing in Config.Tasks since?",
			slog.String("task", s.Task), slog.Int("position", done+i+1), slog.String("unit", job.Args.String()),
			slog.Int64("job_id", job.ID), slog.Duration("again_in", untilNewer))
		return river.JobSnooze(untilNewer)
	}
	return nil
}

// step runs one step of a unit and records that it is done.
func (w *worker[Tx]) step(ctx context.Context, job *river.Job[unit], c carriage, i int) error {
	if w.stopping.Load() {
		return river.JobSnooze(0) // the rest is for the next process, at once, at no cost of an attempt
	}
	if ctx.Err() != nil { // the unit was cancelled, or took too long, and the last step has not heeded it
		return forRiver(ctx, context.Cause(ctx), job.Args, i)
	}
	s := job.Args.Steps[i]
	d := w.tasks[s.Task]
	about := bgtasks.Info{Name: s.Task, Route: c.Route, Method: c.Method, RequestID: c.RequestID,
		Position: i + 1, Attempt: job.Attempt, Added: job.CreatedAt}
	err := w.runner.Run(ctx, about, w.task(d, s.Arg, job), d.opts...)
	if err == nil && d.txType == nil {
		err = w.record(ctx, job, i)
	}
	return forRiver(ctx, err, job.Args, i)
}

// task is what the runner runs: for a task with a transaction, that and the record in one.
func (w *worker[Tx]) task(d *definition, arg json.RawMessage, job *river.Job[unit]) bgtasks.Func {
	if d.txType == nil {
		return func(ctx context.Context) error { return d.run(ctx, nil, arg) }
	}
	var over bool
	var final error
	return func(ctx context.Context) error {
		if over { // Retry does not know that it is of no use, nor middleware that fails after its task has not
			return final
		}
		done := false
		err := w.db.inTx(ctx, func(tx Tx) error {
			err := d.run(ctx, tx, arg)
			if err == nil {
				err = recordTx(ctx, tx, job)
				done = err == nil
			}
			return err
		})
		if done || errors.Is(err, errOvertaken) {
			over, final = true, err // with done, of the commit, which may have been: the next attempt of the unit sees
		}
		return err
	}
}

// forRiver says what River is to make of a step's end. One that was cut short by a shutdown
// costs no attempt: River wants to see that its own cancellation was the cause.
func forRiver(ctx context.Context, err error, u unit, i int) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case errors.Is(err, bgtasks.ErrShutdown):
		return river.JobSnooze(0)
	}
	return fmt.Errorf("step %d of %d, %s: %w", i+1, len(u.Steps), u.Steps[i].Task, err)
}
