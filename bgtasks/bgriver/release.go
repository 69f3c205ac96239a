package bgriver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// A hold keeps a unit from starting until its response has been sent: the job is stored as
// scheduled for the end of its lease, and made available by River's JobRetry when the response
// has gone out. If this process is not there any more to do that, River's scheduler is, on
// whichever node.
type hold struct {
	waits   bool // there is a response to wait for
	began   time.Time
	until   time.Time // the end of the lease
	carries carriage

	release func(h *hold, id int64)
	over    func()

	mu   sync.Mutex
	sent bool
	id   int64 // 0 before it is stored
	done bool
}

// hold begins the lease of a unit that is about to be stored.
func (e *engine[Tx]) hold(ctx context.Context) *hold {
	now := time.Now()
	h := &hold{began: now, until: now.Add(e.lease), release: e.release, over: e.releases.begin()}
	made := false
	defer func() {
		if !made { // a context of the program's own may panic when it is asked
			h.drop()
		}
	}()
	var about bgtasks.Info
	about, h.waits = bgtasks.AfterResponse(ctx, h.responseSent)
	h.carries = newCarriage(ctx, about)
	made = true
	return h
}

func (h *hold) responseSent(bgtasks.Outcome) {
	h.mu.Lock()
	h.sent = true
	id, done := h.id, h.done
	h.mu.Unlock()
	if id != 0 && !done {
		h.finish(id)
	}
}

// stored is called when the job is, which is not to say that it has been committed; or with 0 if it
// is not.
func (h *hold) stored(id int64) {
	if id == 0 {
		h.drop()
		return
	}
	h.mu.Lock()
	h.id = id
	sent, done := h.sent, h.done
	h.mu.Unlock()
	if sent && !done { // the handler has returned while another of its goroutines was adding
		go h.finish(id)
	}
}

func (h *hold) finish(id int64) {
	h.release(h, id)
	h.drop()
}

// drop ends a hold that has nothing to release, any more.
func (h *hold) drop() {
	h.mu.Lock()
	first := !h.done
	h.done = true
	h.mu.Unlock()
	if first {
		h.over()
	}
}

// release makes the job available, unless its lease is nearly over: JobRetry after that would
// run a unit again that has been run (with all its steps recorded, so to no effect).
func (e *engine[Tx]) release(h *hold, id int64) {
	ctx, cancel := context.WithDeadline(context.Background(), h.until.Add(-margin))
	defer cancel()
	err := ctx.Err()
	if err == nil {
		err = e.makeAvailable(ctx, h, id)
	}
	switch {
	case err == nil, errors.Is(err, river.ErrNotFound): // the transaction was rolled back
	default:
		e.runner.Logger().LogAttrs(context.Background(), slog.LevelWarn,
			"bgriver: unit not released, it starts when its lease has run out",
			slog.Int64("job_id", id), slog.String("request_id", h.carries.RequestID), slog.Any("error", err))
	}
}

// glance is how soon after it was stored nobody is taken to have cancelled a unit.
const glance = 100 * time.Millisecond

// makeAvailable looks first: a unit that was cancelled before its response is left alone. (What
// River's update returns does not tell, on Postgres.) On SQLite it might even be that of another
// request, whose transaction was given the same ID after this one's had been rolled back, so there
// both are one transaction. On Postgres a response that follows soon spares the look, which with all
// else that a unit of five short steps costs there would be more than a tenth of it.
func (e *engine[Tx]) makeAvailable(ctx context.Context, h *hold, id int64) error {
	if e.db.reuses {
		return e.db.inTx(ctx, func(tx Tx) error {
			job, err := e.client.JobGetTx(ctx, tx, id)
			if err == nil && h.waitsFor(job) {
				_, err = e.client.JobRetryTx(ctx, tx, id)
			}
			return err
		})
	}
	if time.Since(h.began) > glance {
		if job, err := e.client.JobGet(ctx, id); err != nil || !h.waitsFor(job) {
			return err
		}
	}
	_, err := e.client.JobRetry(ctx, id)
	return err
}

// waitsFor is false for a job that is not the hold's, or does not wait any more. River's scheduler makes
// jobs available before their time, which they still wait for.
func (h *hold) waitsFor(job *rivertype.JobRow) bool {
	m, err := metadataOf(job)
	if err != nil || m.Unit.Key != h.carries.Key {
		return false
	}
	return job.State == rivertype.JobStateScheduled || job.State == rivertype.JobStateAvailable && job.Attempt == 0 && job.ScheduledAt.After(time.Now())
}

// releases counts the holds that are not over, for a shutdown to wait for.
type releases struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n is 0 again; nil unless somebody waits
}

// begin counts one, until what it returns is called.
func (r *releases) begin() (over func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.n--; r.n == 0 && r.none != nil {
			close(r.none)
			r.none = nil
		}
	}
}

// wait waits until there is none.
func (r *releases) wait(ctx context.Context) error {
	r.mu.Lock()
	if r.n == 0 {
		r.mu.Unlock()
		return nil
	}
	if r.none == nil {
		r.none = make(chan struct{})
	}
	none := r.none
	r.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
