package bgriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
)

// Config of a Queue.
type Config struct {
	// Tasks are all tasks that the units in the database can consist of: those that this
	// program adds, and those that are left from earlier versions. A unit with another is
	// left to other nodes, with a line in the log.
	Tasks []Definition

	// Lease is how long a unit waits at the most for the response of the request that has
	// added it. 0: 30 seconds. Under 10 seconds it is refused: in the last 6 seconds of its lease
	// a unit is not released any more, as one that has started by itself could be started twice,
	// should the database's clock be ahead.
	Lease time.Duration

	// River is River's own configuration: queues, retries, retention, timeouts, further
	// workers. What is zero gets River's defaults except these:
	//
	//	Queues                "default" with 100 workers
	//	FetchPollInterval     100 ms: how soon a released unit is noticed
	//	RescueStuckJobsAfter  JobTimeout (1 minute unless set) and 15 s: how soon a killed process's unit is
	//	Logger                the runner's, for warnings and errors
	//
	// JobTimeout is for an attempt of a whole unit, all its steps together: make it longer than
	// their timeouts (bgtasks.Timeout) are in sum. None (-1) is refused.
	//
	// JobTimeout and RescueStuckJobsAfter of the process that is River's leader are applied to the
	// units of all processes. Raise them in every process before a step relies on it; until then
	// the unit that takes longer may be given to another process while it runs.
	//
	// Schema must have been migrated by River's own means (see MigratePostgres).
	River river.Config
}

const (
	defaultLease = 30 * time.Second
	leastLease   = 10 * time.Second

	// margin is how long before the end of its lease a unit is left alone: the lease is made by this
	// process's clock, and ended by the database's.
	margin = 6 * time.Second

	// rescueMargin is what a unit gets, after its timeout, to return in.
	rescueMargin = 15 * time.Second
)

func (c Config) lease() (time.Duration, error) {
	switch {
	case c.Lease == 0:
		return defaultLease, nil
	case c.Lease < leastLease:
		return 0, fmt.Errorf("bgriver: Config.Lease %v: at least %v is needed, as units are not released in its last %v", c.Lease, leastLease, margin)
	}
	return c.Lease, nil
}

// jobTimeout refuses River's "none": River takes back no unit that may run for ever, so that of a
// killed process would be lost.
func (c Config) jobTimeout() (time.Duration, error) {
	switch {
	case c.River.JobTimeout == 0:
		return river.JobTimeoutDefault, nil
	case c.River.JobTimeout < 0:
		return 0, fmt.Errorf("bgriver: Config.River.JobTimeout %v: River would never take up the units of a killed process again: set a long one, as long as the longest unit may take", c.River.JobTimeout)
	}
	return c.River.JobTimeout, nil
}

// registry checks the definitions and makes them known by their names.
func (c Config) registry() (map[string]*definition, error) {
	if len(c.Tasks) == 0 {
		return nil, errors.New("bgriver: Config.Tasks is empty: a queue needs to know the tasks that it may find in the database")
	}
	tasks := make(map[string]*definition, len(c.Tasks))
	for i, t := range c.Tasks {
		if t == nil {
			return nil, fmt.Errorf("bgriver: entry %d of Config.Tasks is nil", i+1)
		}
		d := t.defined()
		if d.err != nil {
			return nil, d.fault()
		}
		if tasks[d.name] != nil {
			return nil, fmt.Errorf("bgriver: task %q is in Config.Tasks twice: a name that is stored can stand for one function only", d.name)
		}
		tasks[d.name] = d
	}
	return tasks, nil
}

// riverConfig fills in what Config.River leaves out.
func (c Config) riverConfig(jobTimeout time.Duration, logger *slog.Logger) *river.Config {
	r := c.River
	r.JobTimeout = jobTimeout
	if r.Queues == nil {
		r.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}}
	}
	if r.FetchPollInterval == 0 {
		r.FetchPollInterval = max(100*time.Millisecond, r.FetchCooldown)
	}
	if r.RescueStuckJobsAfter == 0 {
		r.RescueStuckJobsAfter = r.JobTimeout + rescueMargin
	}
	if r.Logger == nil {
		r.Logger = slog.New(warnings{logger.Handler()})
	}
	return &r
}

// warnings lets warnings and errors through: River tells at Info about every attempt that
// failed, which the runner has logged already.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
