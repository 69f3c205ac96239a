package bgtasks

import "context"

// AfterResponse has fn called once when the list that ctx belongs to starts: when its response
// has been sent, or is given up on (see Config.SendTimeout). It is for integrations that keep
// tasks elsewhere and have to know when those may start: unlike a task, fn waits for none of
// the list's tasks, and is not limited, counted or logged. All that a list has of them are
// called one after the other, in a goroutine of their own; one that panics is logged.
//
// It returns what is known of the request. ok is false, and fn never called, where there is no
// response to wait for: without a list, in a task, and once the handler has returned. Nor is
// it called for a response that has not been sent at the deadline of a shutdown.
func AfterResponse(ctx context.Context, fn func(Outcome)) (about Info, ok bool) {
	l, own := listFrom(ctx)
	if l == nil {
		return Info{}, false
	}
	if own {
		about, _ = InfoFrom(ctx)
		return about, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.returned { // what ctx holds is gone
		return l.aboutNow(l.ctx), false
	}
	if l.phase != open || l.gaveUp {
		return l.about(ctx), false
	}
	ctx = l.host.Capture(ctx) // as routing may have gone on since the last time
	if r := l.runner; l.enroll() && r.sender.limit != noLimit {
		r.sender.arm(r.sender.look(r.clock.now()))
	}
	l.starting = l.runner.oneAfterTheOther(l.starting, fn)
	return l.about(ctx), true
}

// oneAfterTheOther calls next also where first panics or ends its goroutine.
func (r *Runner) oneAfterTheOther(first, next func(Outcome)) func(Outcome) {
	return func(o Outcome) {
		defer r.guard("function given to AfterResponse", func() { next(o) })
		if first != nil {
			first(o)
		}
	}
}

// announce calls what AfterResponse was given. The list is locked.
func (l *List) announce() {
	if l.starting == nil {
		return
	}
	fn, o := l.starting, l.outcome
	l.starting = nil
	go fn(o)
}
