package bgtasks

import (
	"log/slog"
	"math"
	"time"
)

// Config of a Runner. The zero value is ready for use, with limits.
type Config struct {
	// Logger gets a line for every failure; nil: slog.Default() at that moment.
	Logger *slog.Logger

	// MaxRunning is how many lists run at once; the others wait their turn.
	// 0: 1024; negative: no limit.
	MaxRunning int

	// MaxPending is how many tasks may be accepted and not ended, over all lists, those
	// of handlers that have not returned included. At the limit Add returns ErrFull.
	// 0: 65536; negative: no limit.
	MaxPending int

	// TaskTimeout is the Timeout of tasks that have none of their own. 0 or negative: none.
	TaskTimeout time.Duration

	// SendTimeout is how long a list waits for its response to be sent, counted from
	// the handler's return, or from the last progress of a write that the handler is
	// stuck in (because the client does not read). Then the list starts, with a line in
	// the log and Outcome.Sent false. A single Write makes progress when it returns, so
	// allow for the time that the largest takes. A body that is copied from a network
	// connection by one io.Copy shows no progress, and counts as getting on.
	// 0: 1 minute; negative: no limit.
	SendTimeout time.Duration

	// StopOnError is FastAPI's rule: after a failed task the rest of its list is skipped.
	StopOnError bool
}

const (
	defaultMaxRunning  = 1024
	defaultMaxPending  = 65536
	defaultSendTimeout = time.Minute
	noLimit            = math.MaxInt64 // of a time
)

// withDefaults replaces zeros by the defaults and negative values by no limit.
func (c Config) withDefaults() Config {
	c.MaxRunning = limit(c.MaxRunning, defaultMaxRunning, math.MaxInt)
	c.MaxPending = limit(c.MaxPending, defaultMaxPending, math.MaxInt)
	c.SendTimeout = limit(c.SendTimeout, defaultSendTimeout, noLimit)
	c.TaskTimeout = max(c.TaskTimeout, 0)
	return c
}

func limit[N ~int | ~int64](n, byDefault, none N) N {
	switch {
	case n == 0:
		return byDefault
	case n < 0:
		return none
	}
	return n
}

// saturated is a + b without overflow, for b that is not negative.
func saturated(a, b time.Duration) time.Duration {
	if a > noLimit-b {
		return noLimit
	}
	return a + b
}
