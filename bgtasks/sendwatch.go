package bgtasks

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// sendWatch starts lists whose response is not sent in time (Config.SendTimeout), so
// that a client which does not read can hold its tasks for a while only.
//
// A timer for each list would cost as much as a whole goroutine, and almost no list
// needs one: there is one timer for all, which is set while there are lists, and looks
// through them when it fires. Nothing stops it before: a list that came after a shutdown had
// begun, with files to remove, may be waiting still when all others have ended.
type sendWatch struct {
	r        *Runner
	limit    time.Duration
	deadline atomic.Int64 // of a shutdown, by r's clock; noLimit: none
	due      atomic.Int64 // when the timer fires; noLimit: not set

	mu    sync.Mutex
	timer *time.Timer
}

// looks is how many times within limit a handler that writes is looked at.
const looks = 4

func (s *sendWatch) init(r *Runner) {
	s.r, s.limit = r, r.cfg.SendTimeout
	s.deadline.Store(noLimit)
	s.due.Store(noLimit)
}

// until is when a list's time is over that has been waiting since then.
func (s *sendWatch) until(since time.Duration) time.Duration {
	deadline := time.Duration(s.deadline.Load())
	if s.limit == noLimit {
		return deadline
	}
	return min(saturated(since, s.limit), deadline)
}

// look is when to look again at a list whose handler has not returned.
func (s *sendWatch) look(now time.Duration) time.Duration {
	interval := max(s.limit/looks, time.Millisecond)
	at := min(s.until(now), saturated(now, interval))
	if at <= now { // a shutdown's deadline that has passed
		at = now + min(interval, time.Second)
	}
	return max(at, now+time.Millisecond)
}

// noLaterThan ends all waiting at a shutdown's deadline.
func (s *sendWatch) noLaterThan(deadline time.Duration) {
	for at := s.deadline.Load(); int64(deadline) < at; at = s.deadline.Load() {
		if s.deadline.CompareAndSwap(at, int64(deadline)) {
			break
		}
	}
	s.arm(s.r.clock.now()) // to see now which writes are stuck then
}

// arm sets the timer to fire at that time, or before.
func (s *sendWatch) arm(at time.Duration) {
	if int64(at) >= s.due.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if int64(at) >= s.due.Load() {
		return
	}
	s.due.Store(int64(at))
	if in := at - s.r.clock.now(); s.timer == nil {
		s.timer = time.AfterFunc(in, s.sweep)
	} else {
		s.timer.Reset(in)
	}
}

func (s *sendWatch) sweep() {
	s.mu.Lock()
	s.due.Store(noLimit)
	s.mu.Unlock()

	now, next := s.r.clock.now(), time.Duration(noLimit)
	for _, l := range s.r.lists.snapshot() {
		late, phase, again := l.late(now, s)
		if late {
			go l.startLate(phase)
		}
		next = min(next, again)
	}
	if next != noLimit {
		s.arm(next)
	}
}

// stuck is what is known about a handler that may be stuck in a write.
type stuck struct {
	progress uint64
	since    time.Duration // when progress was first seen
	writing  bool
}

// late reports whether l, in its phase, has waited for its response long enough, or when to
// look again.
func (l *List) late(now time.Duration, s *sendWatch) (late bool, in phase, again time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.phase {
	case held:
		if at := s.until(l.heldSince); at > now {
			return false, held, at
		}
		return true, held, noLimit
	case open:
		progress, writing := l.host.Writing()
		seen := l.rarely().stuck
		if !writing || !seen.writing || progress != seen.progress {
			l.rare.stuck = stuck{progress, now, writing}
			return false, open, s.look(now)
		}
		if s.until(seen.since) <= now {
			return true, open, noLimit
		}
		return false, open, min(s.until(seen.since), s.look(now))
	}
	return false, l.phase, noLimit
}

// startLate starts l though its response has not been sent, unless its phase has changed.
func (l *List) startLate(in phase) {
	l.mu.Lock()
	if l.phase != in {
		l.mu.Unlock()
		return
	}
	if l.phase == open {
		l.outcome = l.host.Detach(false)
	}
	about, tasks := l.aboutNow(l.ctx), l.queue.pending
	started := l.begin()
	l.mu.Unlock()
	if started {
		defer l.runner.dispatch(l) // after the log line, even if a log handler ends this goroutine
	}
	if tasks > 0 {
		l.runner.log(l.ctx, slog.LevelWarn, "bgtasks: response not sent in time, its tasks start now", about, slog.Int("tasks", tasks))
	}
}
