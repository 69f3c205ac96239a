package bgtasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// drain runs the tasks of l one after the other until none is left. A task that calls
// runtime.Goexit ends it halfway: see Runner.work.
func (l *List) drain() {
	for a := l.take(); a != nil; a = l.take() {
		l.run(a)
	}
	l.mu.Lock()
	cleanup := l.cleanup
	l.cleanup = nil
	l.mu.Unlock()
	if cleanup != nil {
		l.cleanUp(cleanup)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end() // last, as this is what Wait and Shutdown wait for
}

// take returns the next task's first attempt, or nil, and then the list is closed.
func (l *List) take() *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	index, ok := l.queue.pop()
	if !ok {
		l.phase = ended
		return nil
	}
	l.running = newAttempt(l, &l.queue.tasks[index], l.queue.position(index))
	return l.running
}

// current is the attempt that was under way when its goroutine ended.
func (l *List) current() *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running
}

// run runs one task: as often as its Retry says, or not at all.
func (l *List) run(a *attempt) {
	if err := l.skip(a); err != nil {
		l.finish(a, err)
		return
	}
	if hook := l.runner.hook; hook != nil {
		a.fn = hook(a, a.fn)
	}
	for l.start(a) {
		err := a.run()
		next, err := a.again(err)
		if next == nil {
			l.finish(a, err)
			return
		}
		a = next
	}
	l.finish(a, ErrShutdown)
}

var errWhen = fmt.Errorf("%w: When is false for this outcome", ErrSkipped)

// skip returns an error if a is not to run at all.
func (l *List) skip(a *attempt) error {
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	if failed != "" {
		return fmt.Errorf("%w: task %q has failed (Config.StopOnError)", ErrSkipped, brief(failed))
	}
	if a.opts == nil {
		return nil
	}
	for _, cond := range a.opts.when {
		var run bool
		err := a.call(func(context.Context) error { run = cond(a.outcome); return nil })
		if err != nil {
			return err
		}
		if !run {
			return errWhen
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range a.opts.needs {
		if !l.queue.succeeded(name) {
			return fmt.Errorf("%w: it needs %q, which has not succeeded", ErrSkipped, brief(name))
		}
	}
	return nil
}

// start begins an attempt, unless a shutdown has given the task up.
func (l *List) start(a *attempt) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.named {
		return false
	}
	a.began = now
	if a.number > 1 {
		return true
	}
	a.started = now
	if r := l.runner; len(r.observers) > 0 {
		r.emit(Event{Kind: Started, Info: a.info(), Outcome: a.outcome, Wait: a.waited()})
	}
	return true
}

// finish records how a task has ended: with nil, with its last attempt's error, or
// skipped. Observers are told under the lock, so that a task is either reported to them
// as ended or named by Shutdown.
func (l *List) finish(a *attempt, err error) {
	defer a.opts.tell(err) // also if a log handler ends this goroutine
	r := l.runner
	elapsed := a.elapsed()
	kind := Unfinished
	l.locked(func() {
		l.running = nil
		if a.named {
			return
		}
		var state taskState
		state, kind = l.account(a, err)
		l.queue.done(a.position, state)
		r.pending.Add(-1)
		if len(r.observers) > 0 {
			r.emit(Event{Kind: kind, Info: a.info(), Outcome: a.outcome, Err: err, Wait: a.waited(), Elapsed: elapsed})
		}
	})
	r.logEnd(a, kind, err, elapsed)
}

// locked runs f under the list's lock, also if an observer calls runtime.Goexit in it.
func (l *List) locked(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *List) account(a *attempt, err error) (taskState, Kind) {
	c := &l.runner.counts
	if err == nil {
		c.succeeded.Add(1)
		return succeeded, Finished
	}
	if a.panicked == nil && a.started.IsZero() && errors.Is(err, ErrSkipped) {
		c.skipped.Add(1)
		return notSucceeded, Skipped
	}
	if a.panicked != nil {
		c.panicked.Add(1)
	} else {
		c.failed.Add(1)
	}
	if l.runner.cfg.StopOnError && l.failed == "" {
		l.failed = a.name
	}
	return notSucceeded, Finished
}

// giveUp takes out the tasks that have not ended, and returns what they were.
func (l *List) giveUp() (left []Info) {
	r := l.runner
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gaveUp || l.phase == ended {
		return nil
	}
	l.gaveUp, l.starting = true, nil
	name := func(info Info) {
		left = append(left, info)
		r.counts.unfinished.Add(1)
		r.pending.Add(-1)
		r.emit(Event{Kind: Unfinished, Info: info, Outcome: l.outcome, Err: ErrShutdown})
	}
	if a := l.running; a != nil {
		a.named = true
		name(a.info())
	}
	l.queue.clear(func(index int, t *task) {
		name(l.infoOf(t, l.queue.position(index)))
		t.opts.tell(ErrShutdown)
	})
	if l.running == nil && l.cleanup == nil {
		r.lists.remove(l)
	}
	return left
}

// Report logs a misuse that the integration has noticed, such as a write to a response
// that has been sent: once for each task, under the name of the one that runs.
func (l *List) Report(misuse error) {
	l.mu.Lock()
	ctx, reported, about := l.ctx, &l.reported, l.aboutNow(l.ctx)
	if a := l.running; a != nil {
		ctx, reported, about = a.lastSeen(), &a.reported, a.info()
	}
	again := *reported
	*reported = true
	l.mu.Unlock()
	if !again {
		l.runner.log(ctx, slog.LevelError, "bgtasks: misuse", about, errAttr(misuse))
	}
}
