package bgtasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// refusals limits the log lines about refused tasks: an overloaded service refuses
// thousands a second.
type refusals struct {
	count                          atomic.Int64
	full, closed, shutdown, misuse limiter
}

func (r *refusals) of(err error) *limiter {
	switch {
	case errors.Is(err, ErrFull):
		return &r.full
	case errors.Is(err, ErrClosed):
		return &r.closed
	case errors.Is(err, ErrShutdown):
		return &r.shutdown
	}
	return &r.misuse
}

// A limiter lets one line through every interval and counts those that it holds back.
type limiter struct {
	last atomic.Int64 // when, in nanoseconds since 1970
	held atomic.Int64
}

const refusalInterval = time.Second

// allow reports whether a line may be written now, and how many were not since the last.
func (l *limiter) allow(now time.Time) (ok bool, held int64) {
	last := l.last.Load()
	since := now.UnixNano() - last // negative if the clock has been put back
	if since >= 0 && since < int64(refusalInterval) || !l.last.CompareAndSwap(last, now.UnixNano()) {
		l.held.Add(1)
		return false, 0
	}
	return true, l.held.Swap(0)
}

// refuse counts and reports that a task was not accepted, and returns the error for
// Add's caller.
func (l *List) refuse(ctx context.Context, own bool, name string, cause error) error {
	r := l.runner
	err := cause
	if name != "" && errorIsOurs(cause) {
		err = fmt.Errorf("%w: task %q refused", cause, brief(name))
	}
	r.refused.count.Add(1)
	ok, held := r.refused.of(cause).allow(time.Now())
	if !ok && len(r.observers) == 0 {
		return err
	}
	var about Info
	l.locked(func() {
		if l.returned && !own { // ctx was the handler's: what it holds is gone
			about = l.aboutNow(l.ctx)
		} else {
			about = l.about(ctx)
		}
		about.Name = name
		r.emit(Event{Kind: Refused, Info: about, Outcome: *l.known(), Err: err})
	})
	if ok {
		r.log(ctx, slog.LevelError, "bgtasks: task refused", about, errAttr(err), slog.Int64("more_refused", held))
	}
	return err
}

// errorIsOurs tells the sentinels, which name no task, from errors that do.
func errorIsOurs(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, ErrClosed) || errors.Is(err, ErrShutdown)
}

var withoutList limiter

// refuseWithoutList has no runner to ask for a logger: a handler that ignores Add's error
// would lose its tasks in silence.
func refuseWithoutList(ctx context.Context, name string) error {
	err := fmt.Errorf("%w: task %q refused", ErrNoList, brief(name))
	if ok, held := withoutList.allow(time.Now()); ok {
		defer ignorePanic()
		if ctx == nil {
			ctx = context.Background()
		}
		slog.Default().LogAttrs(ctx, slog.LevelError, "bgtasks: task refused", slog.String(keyTask, brief(name)),
			errAttr(err), slog.Int64("more_refused", held))
	}
	return err
}
