package bgtasks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Func is a task: what to do after the response. Its context is described in the
// package's documentation. The error is logged; it reaches no client.
type Func func(ctx context.Context) error

// Middleware wraps a task as an HTTP middleware wraps a handler. It runs around each
// attempt. Runner.Use puts it around every task; given to Add as an Option, it is
// around that task only, inside those of the runner, the first given outermost.
// Panics of the task reach it as a *PanicError, like any error.
type Middleware func(next Func) Func

func (m Middleware) apply(o *options) error {
	if m == nil {
		return errors.New("nil Middleware")
	}
	o.middleware = append(o.middleware, m)
	return nil
}

// An Option changes how Add's task is run. The functions that return one do not fail:
// an option that makes no sense is refused by Add.
type Option interface{ apply(*options) error }

type optionFunc func(*options) error

func (f optionFunc) apply(o *options) error { return f(o) }

// options of one task. A task without any has none of these.
type options struct {
	timeout    time.Duration
	hasTimeout bool
	attempts   int
	wait       func(attempt int, err error) (time.Duration, bool)
	when       []func(Outcome) bool
	needs      []string
	middleware []Middleware
	apart      *apart // for a task of Run
}

func newOptions(opts []Option) (*options, error) {
	if len(opts) == 0 {
		return nil, nil
	}
	o := new(options)
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("option %d is nil", i+1)
		}
		if err := opt.apply(o); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// Timeout limits each attempt of the task to d; 0 lifts the limit that
// Config.TaskTimeout sets. When it has passed, the task's context ends with the cause
// ErrTimeout. The task itself is not stopped (Go can't): it should watch its context.
// One that still runs a second later is reported in the log, and keeps its place until
// it returns. A task that returns nil after its timeout has succeeded. When the attempt has
// returned its context ends as well, so that the timer is let go.
func Timeout(d time.Duration) Option {
	return optionFunc(func(o *options) error {
		if d < 0 {
			return fmt.Errorf("Timeout: negative duration %v", d)
		}
		o.timeout, o.hasTimeout = d, true
		return nil
	})
}

// Retry runs the task up to attempts times in all, until an attempt returns nil.
// After a failed attempt, wait says how long to pause before the next, and whether
// there is to be one; attempt counts from 1. Backoff makes such a function.
//
// A panic, runtime.Goexit and ErrShutdown are not retried. A pause holds the list's
// place among those that run (Config.MaxRunning): for pauses of minutes use a durable
// queue. When a shutdown begins a pause ends at once, and the attempt that follows it
// is the last.
func Retry(attempts int, wait func(attempt int, err error) (pause time.Duration, again bool)) Option {
	return optionFunc(func(o *options) error {
		if attempts < 1 {
			return fmt.Errorf("Retry: %d attempts: at least 1 is needed", attempts)
		}
		if wait == nil {
			return errors.New("Retry: nil wait function: bgtasks.Backoff makes one")
		}
		o.attempts, o.wait = attempts, wait
		return nil
	})
}

// Backoff returns a wait function for Retry. Pauses double from first to at most most,
// which wins if it is the shorter, and each is a random time between half of that and all
// of it, so that tasks which failed together do not all try again together.
func Backoff(first, most time.Duration) func(attempt int, err error) (time.Duration, bool) {
	most = max(most, 0)
	first = min(max(first, 0), most)
	return func(attempt int, _ error) (time.Duration, bool) {
		pause := first
		for i := 1; i < attempt && 0 < pause && pause < most; i++ {
			if pause > most/2 {
				pause = most
				break
			}
			pause *= 2
		}
		half := pause / 2
		return half + rand.N(pause-half+1), true
	}
}

// When runs the task only if cond is true for the outcome of the request; it is
// skipped otherwise. Given more than once, all must be true.
func When(cond func(Outcome) bool) Option {
	return optionFunc(func(o *options) error {
		if cond == nil {
			return errors.New("When: nil condition")
		}
		o.when = append(o.when, cond)
		return nil
	})
}

// Needs skips the task unless tasks of these names ran before it in the same list and
// all of them succeeded. One that failed, was skipped or was taken back, or a name that
// was never added, is a reason to skip.
func Needs(names ...string) Option {
	return optionFunc(func(o *options) error {
		if len(names) == 0 {
			return errors.New("Needs: no task named")
		}
		for _, name := range names {
			if name == "" {
				return errors.New("Needs: empty task name")
			}
		}
		o.needs = append(o.needs, names...)
		return nil
	})
}
