package bgtasks

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// drain runs the tasks of l one after the other until none is left. A task that calls
// runtime.Goexit ends it halfway: see Runner.work.
//
// A goroutine begins with a stack of 2 KB, and giving it a larger one costs as much as all
// else that is done for a task. So the functions from here to the task have small frames: what
// needs a large one (an Event is 300 bytes, and two copies of it) is in functions of its own,
// which are called only where there is an observer or a line to log.
func (l *List) drain() {
	for a := l.take(); a != nil; a = l.take() {
		l.run(a)
	}
	if l.cleanup != nil { // nobody else sets it any more: see take
		l.drained()
	}
}

// drained ends a list that has something to clean up.
func (l *List) drained() {
	l.mu.Lock()
	cleanup := l.cleanup
	l.cleanup = nil
	l.mu.Unlock()
	l.cleanUp(cleanup)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end() // last, as this is what Wait and Shutdown wait for
}

// take returns the next task's first attempt, which has started if there is no condition to
// ask; or nil, and then the list is closed.
func (l *List) take() *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.queue.pop()
	if a == nil {
		l.phase = ended
		if l.cleanup == nil {
			l.end()
		}
		return nil
	}
	a.outcome, l.running = l.known(), a
	if !a.conditional() {
		l.begun(a)
	}
	return a
}

// current is the attempt that was under way when its goroutine ended.
func (l *List) current() *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running
}

// run runs one task: as often as its Retry says, or not at all.
func (l *List) run(a *attempt) {
	if a.conditional() {
		if err := l.skip(a); err != nil {
			l.finish(a, err)
			return
		}
		if hook := l.runner.hook; hook != nil {
			a.fn = hook(a, a.fn)
		}
		if !l.start(a) {
			l.finish(a, ErrShutdown)
			return
		}
	}
	err := a.run()
	if a.retryable(err) {
		a, err = l.retry(a, err)
	}
	l.finish(a, err)
}

// retry runs a task that has failed with err until there is to be no other attempt, and
// returns the last attempt and its error.
func (l *List) retry(a *attempt, err error) (*attempt, error) {
	for {
		next, last := a.again(err)
		if next == nil {
			return a, last
		}
		if a = next; !l.start(a) {
			return a, ErrShutdown
		}
		if err = a.run(); !a.retryable(err) {
			return a, err
		}
	}
}

// conditional reports whether it must be asked if a is to run. Only a's own goroutine may
// ask, as only that sets failed.
func (a *attempt) conditional() bool {
	return a.list.runner.hook != nil || a.list.rare != nil && a.list.rare.failed != "" || a.opts != nil && len(a.opts.when)+len(a.opts.needs) > 0
}

var errWhen = fmt.Errorf("%w: When is false for this outcome", ErrSkipped)

// skip returns an error if a is not to run at all.
func (l *List) skip(a *attempt) error {
	if l.rare != nil && l.rare.failed != "" {
		return fmt.Errorf("%w: task %q has failed (Config.StopOnError)", ErrSkipped, brief(l.rare.failed))
	}
	if a.opts == nil {
		return nil
	}
	for _, cond := range a.opts.when {
		var run bool
		if err := a.call(func() { run = cond(*a.outcome) }); err != nil {
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
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.named {
		return false
	}
	l.begun(a)
	return true
}

// begun notes the start of an attempt.
func (l *List) begun(a *attempt) {
	now := l.runner.clock.now()
	if a.number > 1 {
		a.after = now - a.started
		return
	}
	a.started, a.begun = now, true
	if len(l.runner.observers) > 0 {
		a.emit(Started, nil, 0)
	}
}

// emit tells the observers of a step of the task's. Its frame is large: see drain.
//
//go:noinline
func (a *attempt) emit(kind Kind, err error, elapsed time.Duration) {
	a.list.runner.emit(Event{Kind: kind, Info: a.info(), Outcome: *a.outcome, Err: err, Wait: a.waited(), Elapsed: elapsed})
}

// finish records how a task has ended: with nil, with its last attempt's error, or
// skipped.
func (l *List) finish(a *attempt, err error) {
	defer a.opts.tell(err) // also if a log handler ends this goroutine
	r := l.runner
	var elapsed time.Duration
	measure := err != nil || len(r.observers) > 0
	if measure {
		elapsed = a.elapsed()
	}
	kind := l.account(a, err, elapsed)
	if err == nil && kind == Finished && !r.logs(a.logContext(), slog.LevelDebug) {
		return
	}
	if !measure {
		elapsed = a.elapsed()
	}
	r.logEnd(a, kind, err, elapsed)
}

// account counts a task that has ended. Observers are told under the lock, so that a task is
// either reported to them as ended or named by Shutdown.
func (l *List) account(a *attempt, err error, elapsed time.Duration) Kind {
	l.mu.Lock()
	defer l.mu.Unlock() // also if an observer calls runtime.Goexit
	l.running = nil
	if a.named {
		return Unfinished
	}
	state, kind := succeeded, Finished
	if err == nil {
		l.counts().succeeded.Add(1)
	} else {
		state, kind = notSucceeded, l.failure(a, err)
	}
	l.queue.done(a.position, state)
	l.runner.pending.Add(-1)
	if len(l.runner.observers) > 0 {
		a.emit(kind, err, elapsed)
	}
	return kind
}

// failure counts a task that has failed or was skipped.
func (l *List) failure(a *attempt, err error) Kind {
	c := l.counts()
	if a.panicked == nil && !a.begun && errors.Is(err, ErrSkipped) {
		c.skipped.Add(1)
		return Skipped
	}
	if a.panicked != nil {
		c.panicked.Add(1)
	} else {
		c.failed.Add(1)
	}
	if l.runner.cfg.StopOnError && l.rarely().failed == "" {
		l.rare.failed = a.name
	}
	return Finished
}

// locked runs f under the list's lock, also if an observer calls runtime.Goexit in it.
func (l *List) locked(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
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
	name := func(a *attempt) {
		info := a.info()
		left = append(left, info)
		l.counts().unfinished.Add(1)
		r.pending.Add(-1)
		r.emit(Event{Kind: Unfinished, Info: info, Outcome: *l.known(), Err: ErrShutdown})
	}
	if a := l.running; a != nil {
		a.named = true
		name(a)
	}
	l.queue.drop(func(*attempt) bool { return true }, func(a *attempt) {
		name(a)
		a.opts.tell(ErrShutdown)
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
		ctx, reported, about = a.still(), &a.reported, a.info()
	}
	again := *reported
	*reported = true
	l.mu.Unlock()
	if !again {
		l.runner.log(ctx, slog.LevelError, "bgtasks: misuse", about, errAttr(misuse))
	}
}
