package bgtasks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// shutdown is the state of a runner's shutting down.
type shutdown struct {
	closing atomic.Bool   // no new tasks from handlers
	began   chan struct{} // closed with it
	over    atomic.Bool   // nor any of Run: the tasks left are being named

	mu         sync.Mutex
	unfinished []Info // named so far
	cause      error  // the error of the context whose end named them first

	hooks hooks
}

func (d *shutdown) init() { d.began = make(chan struct{}) }

func (d *shutdown) begin() {
	if d.closing.CompareAndSwap(false, true) {
		close(d.began)
	}
}

// Shutdown stops r from accepting tasks of handlers (Add returns ErrShutdown) and waits
// until every accepted task has ended; tasks that run may still add to their own list.
// Call it after the server's Shutdown: chimw.ListenAndServe does both.
//
// When ctx ends first, the contexts of the running tasks are cancelled with the cause
// ErrShutdown, tasks that have not started never will, and Shutdown returns at once
// with a *ShutdownError that names every task that had not ended. Wait then tells when
// those that run have returned.
//
// A list whose response has not been sent yet waits for that for half of the time that
// ctx leaves, at the most (and SendTimeout), and then starts.
//
// It can be called more than once and from several goroutines; each call waits as its
// own context says, and each reports the tasks that were left unfinished by any. A task or
// a handler that calls it waits for itself, until ctx ends.
func (r *Runner) Shutdown(ctx context.Context) error {
	r.down.begin()
	if deadline, ok := ctx.Deadline(); ok {
		r.sender.noLaterThan(r.clock.now() + time.Until(deadline)/2)
	}
	r.down.hooks.begin(ctx, r)
	err := r.idle(ctx)
	if err == nil {
		err = r.down.hooks.wait(ctx)
	}
	for err == nil && r.pending.Load() > 0 { // what Run has accepted meanwhile
		err = r.idle(ctx)
	}
	if err != nil {
		r.giveUp(err)
	}
	failure := r.down.hooks.result()
	r.down.mu.Lock()
	defer r.down.mu.Unlock()
	if len(r.down.unfinished) == 0 {
		return failure
	}
	named := &ShutdownError{Unfinished: append([]Info(nil), r.down.unfinished...), cause: r.down.cause}
	if failure == nil {
		return named
	}
	return errors.Join(named, failure)
}

// Wait blocks until every task that was accepted before the call has ended, or ctx has:
// then it returns an error that wraps ctx's. The runner goes on accepting tasks. Tests
// use it to see what the tasks did.
func (r *Runner) Wait(ctx context.Context) error {
	if err := r.idle(ctx); err != nil {
		return fmt.Errorf("bgtasks: the tasks of %d requests have not ended: %w", len(r.lists.snapshot()), err)
	}
	return nil
}

// idle waits until the lists that have something to do now are through.
func (r *Runner) idle(ctx context.Context) error {
	r.lists.waiters.Add(1)
	defer r.lists.waiters.Add(-1)
	now := r.lists.mark()
	for {
		changed := r.lists.changed()
		if r.lists.gone(now) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// giveUp names every task that has not ended, in one step for each list, and then ends
// the contexts of those that run.
func (r *Runner) giveUp(cause error) {
	r.down.mu.Lock()
	defer r.down.mu.Unlock()
	r.down.over.Store(true)
	for _, l := range r.lists.snapshot() {
		r.down.unfinished = append(r.down.unfinished, l.giveUp()...)
	}
	if r.down.cause == nil {
		r.down.cause = cause
	}
	r.kill(ErrShutdown)
}
