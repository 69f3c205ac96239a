package bgriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// worker runs units for River.
type worker[Tx any] struct {
	river.WorkerDefaults[unit]
	*engine[Tx]
}

// Work is one attempt of a unit. What a step returns reaches River by way of ResumableStep,
// which runs no further step after an error.
func (w *worker[Tx]) Work(ctx context.Context, job *river.Job[unit]) error {
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
			err := w.step(withKey(ctx, stepKey(m.Unit.Key, i+1)), job, m.Unit, i)
			if err != nil && i > 0 {
				w.forget(ctx, job)
			}
			return err
		})
	}
	return nil
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
	overtaken := false
	return func(ctx context.Context) error {
		if overtaken { // Retry does not know that it is of no use
			return errOvertaken
		}
		err := w.db.inTx(ctx, func(tx Tx) error {
			if err := d.run(ctx, tx, arg); err != nil {
				return err
			}
			return recordTx(ctx, tx, job)
		})
		overtaken = errors.Is(err, errOvertaken)
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

const (
	recordPause = 100 * time.Millisecond
	lastRecord  = 5 * time.Second // for the last try, when the attempt is over
)

// record stores that the current step is done, in a transaction of its own. It goes on trying
// for as long as the attempt may last, as a step that is not recorded is run again: a database
// that is away for a moment is no reason to send a mail twice. A shutdown that cuts the
// attempt short does not keep it from one try.
func (w *worker[Tx]) record(ctx context.Context, job *river.Job[unit], i int) error {
	for ctx.Err() == nil {
		if err := w.recordOnce(ctx, job, i); err == nil || errors.Is(err, errOvertaken) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(recordPause):
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRecord)
	defer cancel()
	if err := w.recordOnce(last, job, i); err != nil && !errors.Is(err, errOvertaken) {
		return fmt.Errorf("bgriver: the step is done, but this could not be recorded: it will be run again: %w", err)
	}
	return nil
}

func (w *worker[Tx]) recordOnce(ctx context.Context, job *river.Job[unit], i int) error {
	err := w.db.inTx(ctx, func(tx Tx) error { return recordTx(ctx, tx, job) })
	if errors.Is(err, errOvertaken) {
		return w.recordAhead(ctx, job, i)
	}
	return err
}

// An attempt that has run for longer than RescueStuckJobsAfter is taken for lost: River gives its
// unit to another while it still runs, and neither of the two knows. River itself asks for no more
// than the job's ID when the overtaken one ends. So that no step that was done is set back, and
// none that does its work in a transaction is done twice,
//
//   - an attempt records a step only while the unit is its own (recordTx), or, a step without a
//     transaction, if it is the next that is to be recorded (recordAhead), and ends in any case;
//   - it leaves River nothing to record at its end (forget).

var errOvertaken = errors.New("bgriver: the attempt ran for longer than RescueStuckJobsAfter, so River took it for lost and gave the unit to another")

// recordTx is River's own record of a resumable step. ResumableStep alone keeps it in memory
// until the attempt ends, and loses it when the process is killed. River's update has the row
// locked, so what it returns is sure.
func recordTx[Tx any](ctx context.Context, tx Tx, job *river.Job[unit]) error {
	now, err := river.ResumableSetStepTx[riverdriver.Driver[Tx]](ctx, tx, job)
	if err == nil && (now.Attempt != job.Attempt || now.State != rivertype.JobStateRunning) {
		return errOvertaken
	}
	return err
}

// recordAhead records step i of an attempt that was overtaken if the other has not come as far,
// which would do it again. The update that changes nothing locks the row. It returns errOvertaken
// if it does not fail.
func (w *worker[Tx]) recordAhead(ctx context.Context, job *river.Job[unit], i int) error {
	err := w.db.inTx(ctx, func(tx Tx) error {
		now, err := w.client.JobUpdateTx(ctx, tx, job.ID, nil)
		if err != nil {
			return err
		}
		m, err := metadataOf(now)
		if err != nil {
			return err
		}
		if done, err := m.done(job.Args); err != nil || done != i {
			return err
		}
		_, err = river.ResumableSetStepTx[riverdriver.Driver[Tx]](ctx, tx, job)
		return err
	})
	if err == nil {
		err = errOvertaken
	}
	return err
}

var errUndo = errors.New("bgriver: undo")

// forget has River forget which step this attempt has done last. When an attempt ends in an error
// River writes that into the unit, whosever it is by then; it is there already. A record that is undone
// does so: River takes it for the database's own from then on.
func (w *worker[Tx]) forget(ctx context.Context, job *river.Job[unit]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRecord)
	defer cancel()
	_ = w.db.inTx(ctx, func(tx Tx) error {
		_, err := river.ResumableSetStepTx[riverdriver.Driver[Tx]](ctx, tx, job)
		return errors.Join(err, errUndo)
	})
}
