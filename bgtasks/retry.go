package bgtasks

import (
	"log/slog"
	"time"
)

// What comes between one attempt of a task and the next: see Retry.

// again pauses and returns the next attempt, or nil if there is to be none, and then the
// error that the task ends with.
func (a *attempt) again(err error) (*attempt, error) {
	if !a.retryable(err) || a.opts.isOver() {
		return nil, err
	}
	elapsed := a.elapsed() - a.after
	var pause time.Duration
	var more bool
	failure := a.call(func() { pause, more = a.opts.wait(int(a.number), err) })
	if failure != nil {
		return nil, failure
	}
	if !more {
		return nil, err
	}
	a.retrying(err, pause, elapsed)
	last, ended := a.list.runner.pause(pause, a.opts.outer())
	if ended || a.opts.isOver() {
		return nil, err
	}
	return a.next(last), err
}

func (a *attempt) retryable(err error) bool {
	return err != nil && a.opts != nil && int(a.number) < a.opts.attempts && !a.last && !a.final
}

func (a *attempt) retrying(err error, pause, elapsed time.Duration) {
	r := a.list.runner
	a.list.locked(func() {
		if len(r.observers) > 0 && !a.named {
			r.emit(Event{Kind: Retried, Info: a.info(), Outcome: *a.outcome, Err: err, Wait: pause, Elapsed: elapsed})
		}
	})
	r.logTask(a, slog.LevelWarn, "bgtasks: attempt failed, the task is tried again", err, elapsed, slog.Duration("pause", pause))
}

// pause waits for d, less if outer is closed or a shutdown has begun (then the next attempt is the
// last), and reports whether that has even ended.
func (r *Runner) pause(d time.Duration, outer <-chan struct{}) (last, ended bool) {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.down.began:
		case <-outer:
		}
	}
	return r.down.closing.Load(), r.live.Err() != nil
}

// next is a new attempt, as a goroutine of the last may still hold on to its context. It is
// nil if a shutdown has given the task up.
func (a *attempt) next(last bool) *attempt {
	l := a.list
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.named {
		return nil
	}
	b := *a
	b.Context, b.number, b.last, b.seen = l.runner.live, a.number+1, last, nil
	l.running = &b
	return &b
}
