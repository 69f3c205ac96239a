package bgtasks

import (
	"context"
	"time"
)

// listKey finds, in a handler's context, the *List of the innermost integration, and in
// a task's context its *attempt.
type listKey struct{}

// runnerKey finds the *List of that runner in a handler's context. A task's context
// answers nil: a request that a task serves is a request of its own.
type runnerKey struct{ *Runner }

// listContext is a handler's context with a list in it. It is a pointer, so making one
// does not allocate.
type listContext struct{ l *List }

func (c listContext) Deadline() (time.Time, bool) { return c.l.ctx.Deadline() }
func (c listContext) Done() <-chan struct{}       { return c.l.ctx.Done() }
func (c listContext) Err() error                  { return c.l.ctx.Err() }
func (c listContext) String() string              { return "bgtasks.listContext" }

func (c listContext) Value(key any) any {
	switch key {
	case listKey{}, runnerKey{c.l.runner}:
		return c.l
	}
	return c.l.ctx.Value(key)
}

// Value makes an attempt the context of its task. The values are those of the context
// that was given to Add. What ends the task is asked first: package context looks up
// the context to which it ties children under a key of its own, and must not find the
// request's.
func (a *attempt) Value(key any) any {
	switch key := key.(type) {
	case listKey:
		return a
	case runnerKey:
		return nil
	default:
		if v := a.Context.Value(key); v != nil {
			return v
		}
		return a.values.Value(key)
	}
}

func (a *attempt) String() string { return "bgtasks.taskContext" }

func attemptFrom(ctx context.Context) (*attempt, bool) {
	if ctx == nil {
		return nil, false
	}
	a, ok := ctx.Value(listKey{}).(*attempt)
	return a, ok
}

// listFrom finds the list to add to. own says that ctx is that of one of its tasks.
func listFrom(ctx context.Context) (l *List, own bool) {
	if ctx == nil {
		return nil, false
	}
	switch v := ctx.Value(listKey{}).(type) {
	case *List:
		return v, false
	case *attempt:
		return v.list, true
	}
	return nil, false
}
