package bgtasks_test

import (
	"math"
	"time"
)

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// A modelShutdown is a call of Shutdown.
type modelShutdown struct {
	mark       int // the entries that it waits for are those up to here
	deadline   time.Duration
	returned   bool
	unfinished int64 // what it has named, if so
}

// limit is the timeout of t's attempts; 0: none.
func (m *model) limit(t *modelTask) time.Duration {
	if t.timeout > 0 {
		return t.timeout
	}
	return m.cfg.TaskTimeout
}

func (l *modelList) timesOut(t *modelTask) bool {
	limit := l.m.limit(t)
	return limit > 0 && l.m.now >= t.began+limit
}

// pass lets d pass: what is due happens in the order in which it is due.
func (m *model) pass(d time.Duration) {
	end := m.now + d
	for {
		at, do := m.nextEvent()
		if at > end {
			break
		}
		m.now = at
		do()
	}
	m.now = end
}

// nextEvent is the earliest thing that time brings about.
func (m *model) nextEvent() (at time.Duration, do func()) {
	at = never
	earlier := func(when time.Duration, what func()) {
		if when = max(when, m.now); when < at {
			at, do = when, what
		}
	}
	for _, l := range m.lists {
		if l.phase == modelHeld {
			earlier(min(l.sendLimit(), m.sendBy), l.begin)
		}
		if t := l.current; t == nil {
			continue
		} else if t.wakes > 0 {
			earlier(t.wakes, func() { l.wake(t) })
		} else if t.obedient && m.limit(t) > 0 {
			earlier(t.began+m.limit(t), func() { l.finish("error") })
		}
	}
	for _, s := range m.shutdowns {
		if !s.returned && m.gone(s.mark) {
			earlier(m.now, func() { s.returned, s.unfinished = true, m.stats.Unfinished })
		} else if !s.returned {
			earlier(s.deadline, func() { m.deadline(s) })
		}
	}
	return at, do
}

func (l *modelList) sendLimit() time.Duration {
	if l.m.cfg.SendTimeout < 0 {
		return never
	}
	return l.heldSince + l.m.cfg.SendTimeout
}

// gone reports that no list is left of those that had been entered at mark.
func (m *model) gone(mark int) bool {
	for _, l := range m.lists {
		if 0 < l.entry && l.entry <= mark {
			return false
		}
	}
	return true
}

// shutdown is a call of Shutdown, whose context ends after that time; never: not by itself.
func (m *model) shutdown(after time.Duration) *modelShutdown {
	s := &modelShutdown{mark: m.entries, deadline: never}
	if after != never {
		s.deadline = m.now + after
		m.sendBy = min(m.sendBy, m.now+after/2)
	}
	m.closing = true
	for _, l := range m.lists {
		if t := l.current; t != nil && t.wakes > 0 {
			l.wake(t)
		}
	}
	m.shutdowns = append(m.shutdowns, s)
	return s
}

// deadline is the end of a shutdown's context: all that has not ended is named, and what
// runs is cancelled.
func (m *model) deadline(s *modelShutdown) {
	if s.returned {
		return
	}
	for _, l := range m.lists {
		if l.entry > 0 {
			l.giveUp()
		}
	}
	m.killed = true
	s.returned, s.unfinished = true, m.stats.Unfinished
	for _, l := range m.lists {
		if l.current != nil && l.current.obedient {
			l.finish("error")
		}
	}
}

func (l *modelList) giveUp() {
	if l.gaveUp {
		return
	}
	l.gaveUp, l.watchers = true, 0
	left := l.queue
	if l.current != nil {
		left = append([]*modelTask{l.current}, left...)
	}
	for _, t := range left {
		t.named = true
		l.m.stats.Unfinished++
		l.m.stats.Pending--
		l.log("unfinished %s", t)
	}
	l.queue = nil
	if l.current == nil && (!l.cleanup || !l.returned) {
		l.leave()
	}
}
