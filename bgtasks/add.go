package bgtasks

import (
	"context"
	"errors"
	"fmt"
)

// Add puts a task at the end of the list of the request that ctx belongs to. It runs
// after the response has been sent, when the tasks before it have ended. In a task, Add
// with the task's own context adds to that task's list.
//
// Add does not block, and may be called from several goroutines of the handler. It is no
// matter if ctx has been cancelled. The task sees the values of ctx as they are now;
// Bind does the same for an argument.
//
// An error means that the task will not run, and says why: ErrNoList, ErrFull,
// ErrClosed, ErrShutdown, or that name is empty, fn nil, or an option makes no sense. The
// handler can still answer 503. The refusal is counted and logged as well (each kind at
// most once a second).
func Add(ctx context.Context, name string, fn Func, opts ...Option) error {
	l, own := listFrom(ctx)
	if l == nil {
		return refuseWithoutList(ctx, name)
	}
	if err := l.add(ctx, own, name, fn, opts); err != nil {
		return l.refuse(ctx, own, name, err)
	}
	return nil
}

// Bind fixes the argument of a task now. It is nil for a nil fn, which Add refuses.
//
//	bgtasks.Add(ctx, "send mail", bgtasks.Bind(sendMail, Mail{To: order.Email}))
func Bind[A any](fn func(context.Context, A) error, arg A) Func {
	if fn == nil {
		return nil
	}
	return func(ctx context.Context) error { return fn(ctx, arg) }
}

// Forget takes back the tasks of that name which are pending in the list of ctx, and
// returns how many there were. One that runs already, or waits for its next attempt, is
// not taken back. Without a list there are none.
func Forget(ctx context.Context, name string) int {
	l, _ := listFrom(ctx)
	if l == nil {
		return 0
	}
	return l.forget(name)
}

func (l *List) add(ctx context.Context, own bool, name string, fn Func, opts []Option) error {
	if name == "" {
		return errors.New("bgtasks: the task needs a name")
	}
	if fn == nil {
		return fmt.Errorf("bgtasks: task %q has a nil function", brief(name))
	}
	o, err := newOptions(opts)
	if err != nil {
		return fmt.Errorf("bgtasks: task %q: %w", brief(name), err)
	}
	return l.accept(own, ctx, name, fn, o)
}

// capture returns the context whose values the task may keep. For a task that adds with the
// context that it was given, that is the context that it was added with itself: else tasks
// that add tasks would chain up contexts without end. What the runner's middleware has put
// in is no loss, as the new task passes the same middleware.
func (l *List) capture(ctx context.Context, own bool) context.Context {
	if !own {
		return l.host.Capture(ctx)
	}
	if a, ok := attemptFrom(ctx); ok && a.isGiven(ctx) {
		return a.values
	}
	return ctx
}

func (l *List) accept(own bool, ctx context.Context, name string, fn Func, o *options) error {
	r, now := l.runner, l.runner.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.phase == ended && !l.gaveUp, l.returned && !own:
		return ErrClosed
	case l.gaveUp:
		return ErrShutdown
	}
	ctx = l.capture(ctx, own) // before a place is taken, as ctx may panic
	if !r.reserve() {
		return ErrFull
	}
	first := l.enroll()
	// Asked after the list has become visible to Shutdown, which sets it before it looks.
	if r.down.closing.Load() && !own {
		r.pending.Add(-1)
		l.withdraw()
		return ErrShutdown
	}
	a := newAttempt(l, ctx, name, fn, o, now)
	l.queue.push(a)
	l.counts().accepted.Add(1)
	if first && l.phase == open && r.sender.limit != noLimit {
		r.sender.arm(r.sender.look(now))
	}
	if len(r.observers) > 0 {
		r.emit(Event{Kind: Accepted, Info: a.info(), Outcome: *l.known()})
	}
	return nil
}

// withdraw undoes enroll for an open list that has nothing left to do.
func (l *List) withdraw() {
	if l.phase == open && l.idle() {
		l.runner.lists.remove(l)
	}
}

func (l *List) forget(name string) int {
	r := l.runner
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.queue.forget(name, func(a *attempt) {
		l.counts().forgotten.Add(1)
		r.pending.Add(-1)
		if len(r.observers) > 0 {
			r.emit(Event{Kind: Forgotten, Info: a.info(), Outcome: *l.known()})
		}
	})
	if n > 0 {
		l.withdraw()
	}
	return n
}

// aboutNow is about for when it is not known whether the host may be asked: it may while
// the handler runs (which cannot return before l.mu is free), and later if it has had a
// task to capture the context for.
func (l *List) aboutNow(ctx context.Context) Info {
	if l.returned && l.queue.empty() {
		return Info{ID: l.id}
	}
	return l.about(ctx)
}

// about describes the request that a captured context belongs to, as far as that can be asked: a
// context of the program's own may panic.
func (l *List) about(ctx context.Context) (info Info) {
	defer func() {
		if recover() != nil {
			info = Info{ID: l.id}
		}
	}()
	about := l.host.About(ctx)
	return Info{ID: l.id, Route: about.Route, Method: about.Method, RequestID: about.RequestID}
}
