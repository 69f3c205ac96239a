package bgriver

// Stopping reports whether a shutdown of the runner has reached q: no step begins any more.
func (q *Queue[Tx]) Stopping() bool { return q.stopping.Load() }

// Glance is how soon after it was stored a unit is released without a look at it, on Postgres.
const Glance = glance
