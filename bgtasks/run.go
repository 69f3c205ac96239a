package bgtasks

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Run runs fn as a task, at once, and returns the error that it ends with: with the runner's
// middleware and the options around it, its panics turned into errors, its lines in the log,
// its events and its place in Stats. It is for integrations whose work has been accepted
// elsewhere, such as a durable queue. Handlers use Add.
//
// about.Name names the task and is needed. Route, Method, RequestID and Added are reported as
// they are; Position and Attempt, where set, are what the task's own are counted from.
//
// The task sees the values of ctx and ends with it, by the same cause. No limit holds it up: the
// caller sees to it that there are not too many, and they take places that Add finds taken
// (Config.MaxPending). Neither does a shutdown before its deadline. Once a shutdown has given tasks
// up, Run returns ErrShutdown; if its task runs by then it still returns what that does. Options
// that look at a request make no sense here: see CheckRun.
func (r *Runner) Run(ctx context.Context, about Info, fn Func, opts ...Option) error {
	o, err := runOptions(opts)
	switch {
	case err != nil:
		return err
	case about.Name == "":
		return errors.New("bgtasks: Run needs a name for the task")
	case fn == nil:
		return fmt.Errorf("bgtasks: task %q has a nil function", brief(about.Name))
	}
	if about.Added.IsZero() {
		about.Added = time.Now()
	}
	o.apart = &apart{ctx: ctx, attempt: max(about.Attempt, 1), added: about.Added, ended: make(chan error, 1)}
	l := new(List)
	inside := l.Init(r, ctx, fixed{about.Route, about.Method, about.RequestID})
	l.queue.startAfter(max(about.Position, 1) - 1)
	a := newAttempt(l, inside, about.Name, fn, o, about.Added.Sub(r.clock.start))
	if err := l.admit(a); err != nil {
		return err
	}
	go r.workApart(l)
	return <-o.apart.ended
}

// CheckRun returns the error that Run would return for these options: that of an option that
// makes no sense anywhere, or that there is a When or a Needs, which look at the outcome of a
// request and at the other tasks of its list.
func CheckRun(opts ...Option) error {
	_, err := runOptions(opts)
	return err
}

func runOptions(opts []Option) (*options, error) {
	o, err := newOptions(opts)
	switch {
	case err != nil:
		return nil, fmt.Errorf("bgtasks: %w", err)
	case o == nil:
		return new(options), nil
	case len(o.when) > 0:
		return nil, errors.New("bgtasks: When looks at the outcome of a request, which is not known here")
	case len(o.needs) > 0:
		return nil, errors.New("bgtasks: Needs looks at the other tasks of a request's list, of which there are none here")
	}
	return o, nil
}

// apart is what a task of Run has in its options, beside those.
type apart struct {
	ctx     context.Context // as given to Run
	attempt int             // number of the first
	added   time.Time       // as reported
	ended   chan error      // with the error that Run returns
}

// attemptOf is the number under which the task's n-th attempt is reported.
func (o *options) attemptOf(n int) int {
	if o == nil || o.apart == nil {
		return n
	}
	return o.apart.attempt + n - 1
}

// addedAt is when the task is reported to have been added.
func (o *options) addedAt(c *clock, reading time.Duration) time.Time {
	if o == nil || o.apart == nil {
		return c.at(reading)
	}
	return o.apart.added
}

// outer is closed when the context given to Run has ended; nil for tasks of Add.
func (o *options) outer() <-chan struct{} {
	if o == nil || o.apart == nil {
		return nil
	}
	return o.apart.ctx.Done()
}

// isOver reports that no other attempt is to be made as the context given to Run has ended.
func (o *options) isOver() bool { return o != nil && o.apart != nil && o.apart.ctx.Err() != nil }

func (o *options) tell(err error) {
	if o != nil && o.apart != nil {
		select {
		case o.apart.ended <- err:
		default: // it has been told
		}
	}
}

// runUntil is runWithin in a context that also ends with ctx, for the middleware too.
func (a *attempt) runUntil(ctx context.Context) error {
	own, cancel := context.WithCancelCause(a.Context)
	defer cancel(nil)
	if ctx.Err() != nil { // which AfterFunc would tell a moment later
		cancel(context.Cause(ctx))
	}
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	a.Context = own
	return a.runWithin()
}

// admit is accept without limits, for a list that starts at once.
func (l *List) admit(a *attempt) error {
	r := l.runner
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaited.Store(true)
	l.returned, l.phase = true, started
	l.enroll()
	if r.down.over.Load() { // asked after the list has become visible to giveUp, as in accept
		l.end()
		return ErrShutdown
	}
	r.pending.Add(1)
	l.queue.push(a)
	l.counts().accepted.Add(1)
	r.emit(Event{Kind: Accepted, Info: a.info()})
	return nil
}

// workApart is work without a place, for one list.
func (r *Runner) workApart(l *List) {
	through := false
	defer func() {
		if through {
			return
		}
		defer func() { go r.workApart(l) }() // see resume
		if a := l.current(); a != nil {
			l.finish(a, ErrGoexit)
		}
	}()
	l.drain()
	through = true
}
