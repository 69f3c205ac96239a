package bgriver

// Stopping reports whether a shutdown of the runner has reached q: no step begins any more.
func (q *Queue[Tx]) Stopping() bool { return q.stopping.Load() }
