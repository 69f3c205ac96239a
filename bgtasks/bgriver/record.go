package bgriver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

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
