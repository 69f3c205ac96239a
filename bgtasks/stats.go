package bgtasks

import "sync/atomic"

// Stats are counts of tasks since the runner was made, and of tasks and lists at the
// moment. When nothing is in motion,
// Accepted = Pending + Succeeded + Failed + Panicked + Skipped + Forgotten + Unfinished.
type Stats struct {
	Accepted  int64 // by Add
	Refused   int64 // by Add, for whatever reason; without a list there is nobody to count
	Pending   int64 // accepted and not ended: now
	Running   int64 // lists that run: now
	Waiting   int64 // lists whose response has been sent and that wait for a place (MaxRunning): now
	Succeeded int64
	Failed    int64 // with an error or runtime.Goexit
	Panicked  int64
	Skipped   int64 // by When, Needs or StopOnError
	Forgotten int64 // by Forget

	Unfinished int64 // named in a ShutdownError
}

type counts struct {
	accepted, refused, succeeded, failed, panicked, skipped, forgotten, unfinished atomic.Int64
}

// Stats returns the counts. It takes no lock; the numbers may be from slightly different
// moments.
func (r *Runner) Stats() Stats {
	c := &r.counts
	return Stats{
		Accepted:   c.accepted.Load(),
		Refused:    c.refused.Load(),
		Pending:    r.pending.Load(),
		Running:    r.places.running.Load(),
		Waiting:    r.places.waiting.Load(),
		Succeeded:  c.succeeded.Load(),
		Failed:     c.failed.Load(),
		Panicked:   c.panicked.Load(),
		Skipped:    c.skipped.Load(),
		Forgotten:  c.forgotten.Load(),
		Unfinished: c.unfinished.Load(),
	}
}
