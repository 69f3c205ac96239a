package bgtasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"time"
)

// An attempt is one run of a task, and the context that it is given (see context.go). Add
// makes the first; without Retry there is no other.
type attempt struct {
	context.Context // what ends it: the runner's, or one with the task's timeout
	values          context.Context

	list     *List
	name     string
	fn       Func
	opts     *options
	outcome  *Outcome // nil before its turn has come
	position int

	number   int32 // from 1
	begun    bool  // its task has: started is set
	last     bool  // a shutdown has begun: no more after this
	final    bool  // it is not to be retried: see inspect
	named    bool  // in a ShutdownError; this and reported are guarded by list.mu
	reported bool  // see List.Report

	added    time.Duration // these by the runner's clock
	started  time.Duration // the first attempt
	after    time.Duration // from then to the start of this attempt
	panicked *PanicError   // found in the error, see inspect

	seen context.Context // what the middleware has made of a for the task; nil: a itself. Guarded by list.mu.
}

func newAttempt(l *List, values context.Context, name string, fn Func, o *options, added time.Duration) *attempt {
	return &attempt{Context: l.runner.live, values: values, list: l, name: name, fn: fn, opts: o, number: 1, added: added}
}

func (a *attempt) info() Info {
	info := a.list.about(a.values)
	clock := &a.list.runner.clock
	info.Name, info.Position, info.Added = a.name, a.position, a.opts.addedAt(clock, a.added)
	if a.begun {
		info.Started, info.Attempt = clock.at(a.started), a.opts.attemptOf(int(a.number))
	}
	return info
}

// waited is the time from Add to the start.
func (a *attempt) waited() time.Duration {
	if !a.begun {
		return 0
	}
	return a.started - a.added
}

// elapsed is the time since the start, of the first attempt.
func (a *attempt) elapsed() time.Duration {
	if !a.begun {
		return 0
	}
	return a.list.runner.clock.now() - a.started
}

// run calls the task with its middleware around it, under its timeout. What panics in it is
// the task's.
func (a *attempt) run() error {
	if a.opts.outer() != nil {
		return a.runUntil(a.opts.apart.ctx)
	}
	return a.runWithin()
}

func (a *attempt) runWithin() error {
	if d := a.timeout(); d > 0 {
		return a.runFor(d)
	}
	return a.runNow()
}

func (a *attempt) runFor(d time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(a.Context, d, ErrTimeout)
	defer cancel()
	a.Context = ctx
	defer a.watch(d).Stop()
	return a.runNow()
}

func (a *attempt) runNow() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = a.panics(v)
		}
	}()
	if err = a.wrapped()(a); err != nil {
		err = a.inspect(err)
	}
	return err
}

func (a *attempt) panics(v any) error {
	a.panicked, a.final = &PanicError{Value: v, Stack: debug.Stack()}, true
	return a.panicked
}

// call runs other code of the program on behalf of the task.
func (a *attempt) call(fn func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = a.panics(v)
		}
	}()
	fn()
	return nil
}

func (a *attempt) timeout() time.Duration {
	if a.opts != nil && a.opts.hasTimeout {
		return a.opts.timeout
	}
	return a.list.runner.cfg.TaskTimeout
}

// grace is what a task gets to return in, after its timeout, before it is reported.
const grace = time.Second

// watch reports the task if it still runs some time after its timeout.
func (a *attempt) watch(timeout time.Duration) *time.Timer {
	return time.AfterFunc(saturated(timeout, grace), func() {
		a.list.runner.log(a.logContext(), slog.LevelWarn, "bgtasks: task still runs after its timeout", a.info(),
			errAttr(ErrTimeout), slog.Duration("duration", a.elapsed()))
	})
}

// wrapped puts the middleware around the task. Panics are turned into errors inside it.
func (a *attempt) wrapped() Func {
	outer, inner := a.middleware()
	if len(outer)+len(inner) == 0 {
		return a.fn
	}
	return a.wrap(outer, inner)
}

func (a *attempt) wrap(outer, inner []Middleware) Func {
	fn := func(ctx context.Context) error {
		a.sees(ctx)
		return call(ctx, a.fn)
	}
	for i := len(inner) - 1; i >= 0; i-- {
		fn = inner[i](fn)
	}
	for i := len(outer) - 1; i >= 0; i-- {
		fn = outer[i](fn)
	}
	return fn
}

// middleware returns that of the runner and, further in, that of the task itself.
func (a *attempt) middleware() (outer, inner []Middleware) {
	if a.opts != nil {
		inner = a.opts.middleware
	}
	return a.list.runner.middleware, inner
}

// sees notes the context that the task is given, if it is not a. It has the lock as
// middleware may call the task from any goroutine, and go on without waiting for it.
func (a *attempt) sees(ctx context.Context) {
	if ctx == context.Context(a) {
		return
	}
	a.list.locked(func() { a.seen = ctx })
}

// logContext is the context for lines about a: the one that the task was given, so that
// what middleware has put into it (the span of a trace, say) is in the task's own lines and
// in those about it alike. Without middleware it costs nothing.
func (a *attempt) logContext() context.Context {
	if outer, inner := a.middleware(); len(outer)+len(inner) == 0 {
		return a
	}
	a.list.mu.Lock()
	defer a.list.mu.Unlock()
	return a.lastSeen()
}

// lastSeen is logContext for a caller that holds the list's lock.
func (a *attempt) lastSeen() context.Context {
	if a.seen != nil {
		return a.seen
	}
	return a
}

// still is lastSeen for other goroutines than the task's, which may be about to set a's timeout: a
// copy of what does not change but under the list's lock.
func (a *attempt) still() context.Context {
	if a.seen != nil {
		return a.seen
	}
	return &attempt{Context: a.list.runner.live, values: a.values, list: a.list, name: a.name, opts: a.opts, outcome: a.outcome,
		position: a.position, number: a.number, begun: a.begun, added: a.added, started: a.started, after: a.after}
}

// isGiven reports whether ctx is the very context that the runner has given a's task, with
// nothing in it that is this task's alone. The list's lock is held.
func (a *attempt) isGiven(ctx context.Context) bool {
	if ctx == context.Context(a) {
		return true
	}
	_, own := a.middleware()
	return len(own) == 0 && a.seen != nil && reflect.ValueOf(ctx).Comparable() && ctx == a.seen
}

// call turns a panic of fn into a *PanicError. runtime.Goexit goes through.
func call(ctx context.Context, fn Func) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return fn(ctx)
}

// inspect finds out what must be known about a task's error, and adds to it that the task's
// context had ended, and why. An error's own methods are called here only, where one that
// panics (that of a nil pointer, say) does no harm.
func (a *attempt) inspect(err error) error {
	if err == nil {
		return nil
	}
	if errors.As(err, &a.panicked) {
		a.final = true
		return err
	}
	if cause := context.Cause(a); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	a.final = errors.Is(err, ErrShutdown)
	return err
}
