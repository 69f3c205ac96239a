package bgtasks

import "sync/atomic"

// Stats are counts of tasks since the runner was made, and of tasks and lists at the
// moment. When nothing is in motion,
// Accepted = Pending + Succeeded + Failed + Panicked + Skipped + Forgotten + Unfinished.
type Stats struct {
	Accepted  int64 // by Add and Run
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

// counts are kept for each shard of the registry, so that requests on different cores do not
// all change the same ones.
type counts struct {
	accepted, succeeded, failed, panicked, skipped, forgotten, unfinished atomic.Int64
}

// counts are those that l adds to.
func (l *List) counts() *counts { return &l.runner.lists.shardOf(l).counts }

// Stats returns the counts. It takes no lock; the numbers may be from slightly different
// moments.
func (r *Runner) Stats() Stats {
	s := Stats{
		Refused: r.refused.count.Load(),
		Pending: r.pending.Load(),
		Running: r.places.running(),
		Waiting: max(r.places.line.length.Load(), 0),
	}
	for i := range r.lists.shards {
		c := &r.lists.shards[i].counts
		s.Accepted += c.accepted.Load()
		s.Succeeded += c.succeeded.Load()
		s.Failed += c.failed.Load()
		s.Panicked += c.panicked.Load()
		s.Skipped += c.skipped.Load()
		s.Forgotten += c.forgotten.Load()
		s.Unfinished += c.unfinished.Load()
	}
	return s
}
