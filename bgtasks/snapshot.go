package bgtasks

import (
	"cmp"
	"slices"
	"time"
)

// A Snapshot is what a Runner has accepted that has not ended, for a page or a command that
// shows it. Each list is seen at one moment, different lists at slightly different ones.
type Snapshot struct {
	Config  Config // in effect: defaults filled in, the largest number for no limit
	Closing bool   // Shutdown has been called
	Lists   int    // requests that have something left to do: what Shutdown waits for

	Handling Tasks // added by a handler that has not returned
	Sending  Tasks // it has returned; the response has not been sent
	Queued   Tasks // it has; their list waits for a place among those that run (Config.MaxRunning)
	Behind   Tasks // their list runs: another of its tasks comes first
	Running  Tasks // those in the pause before another attempt included
	GivenUp  Tasks // still running though a ShutdownError has named them
}

// Tasks are those of a Snapshot that have the same to wait for.
type Tasks struct {
	Count  int
	Oldest []Info // the longest running, or the longest waiting, first
}

// Snapshot looks at every list that is not finished, one after the other, and describes at
// most that many tasks of each kind, the oldest; all are counted. It holds up a list only
// while it looks at it, and costs a runner that nobody looks at nothing. Any goroutine may
// call it, but no observer, and it may be called after Shutdown.
func (r *Runner) Snapshot(most int) Snapshot {
	s := Snapshot{Config: r.cfg, Closing: r.down.closing.Load()}
	view := view{most: max(most, 0)}
	for _, l := range r.lists.snapshot() {
		if view.add(l) {
			s.Lists++
		}
	}
	tasks := func(o *oldest) Tasks { return o.tasks(view.most) }
	s.Handling, s.Sending, s.Queued = tasks(&view.handling), tasks(&view.sending), tasks(&view.queued)
	s.Behind, s.Running, s.GivenUp = tasks(&view.behind), tasks(&view.running), tasks(&view.givenUp)
	return s
}

// view is a Snapshot in the making.
type view struct {
	most                                                int
	handling, sending, queued, behind, running, givenUp oldest
}

// add is false for a list that has ended meanwhile.
func (v *view) add(l *List) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.listed {
		return false
	}
	if a := l.running; a != nil {
		v.runs(a).add(v.most, a.since(), a.info)
	}
	q, waiting := &l.queue, v.waits(l)
	waiting.count += q.pending
	for i := q.next; i < len(q.tasks); i++ {
		if e := &q.tasks[i]; e.state == pending && !waiting.keep(v.most, e.task.added, e.task.info) {
			break // those that follow are younger
		}
	}
	return true
}

func (v *view) runs(a *attempt) *oldest {
	if a.named {
		return &v.givenUp
	}
	return &v.running
}

// waits is where the pending tasks of l belong.
func (v *view) waits(l *List) *oldest {
	switch {
	case l.phase == open:
		return &v.handling
	case l.phase == held:
		return &v.sending
	case l.queue.next == 0: // none has been taken out yet
		return &v.queued
	}
	return &v.behind
}

// since is when a began, or, if it has not, when its task was added.
func (a *attempt) since() time.Duration {
	if !a.begun {
		return a.added
	}
	return a.started
}

// oldest counts tasks and keeps the oldest, so that 65,536 of them are not all described.
type oldest struct {
	count int
	kept  []dated
	full  bool          // younger ones than bound are not among the oldest
	bound time.Duration // by the runner's clock, as are all times here
}

type dated struct {
	at   time.Duration
	info Info
}

func (o *oldest) add(most int, at time.Duration, info func() Info) {
	o.count++
	o.keep(most, at, info)
}

// keep reports whether the task was old enough. It sorts only now and then, when twice as
// many as are wanted have come together.
func (o *oldest) keep(most int, at time.Duration, info func() Info) bool {
	if most == 0 || o.full && at >= o.bound {
		return false
	}
	o.kept = append(o.kept, dated{at, info()})
	if len(o.kept)/2 >= most {
		o.trim(most)
	}
	return true
}

func (o *oldest) trim(most int) {
	slices.SortStableFunc(o.kept, func(a, b dated) int { return cmp.Compare(a.at, b.at) })
	if len(o.kept) >= most && most > 0 {
		clear(o.kept[most:])
		o.kept = o.kept[:most]
		o.full, o.bound = true, o.kept[most-1].at
	}
}

func (o *oldest) tasks(most int) Tasks {
	o.trim(most)
	t := Tasks{Count: o.count}
	for _, d := range o.kept {
		t.Oldest = append(t.Oldest, d.info)
	}
	return t
}
