package bgtasks_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// The model is what a runner and its lists should do, as plain sequential code: no locks, no
// goroutines, the running task just a field, time a number. model_time_test.go says what
// happens as time passes; model_check_test.go compares the model with the real thing.
type model struct {
	cfg       bgtasks.Config // with limits as numbers: none is 1<<30
	now       time.Duration
	stats     bgtasks.Stats
	lists     []*modelList
	waiting   []*modelList // for a place, in order
	entries   int          // how many times a list has been entered among those that Wait waits for
	closing   bool         // a shutdown has begun
	killed    bool         // and the time of one has passed
	sendBy    time.Duration
	shutdowns []*modelShutdown
}

type modelList struct {
	m         *model
	cleanup   bool // there is something to clean up at its end
	returned  bool // the handler has
	phase     modelPhase
	entry     int // among those that Wait waits for; 0: not
	outcome   bgtasks.Outcome
	heldSince time.Duration
	gaveUp    bool
	watchers  int // waiting for its start: see AfterResponse
	told      int // of it
	failed    bool
	accepted  int
	queue     []*modelTask
	current   *modelTask
	history   []modelEnd
	trace     []string
}

type modelPhase int

const (
	modelOpen    modelPhase = iota
	modelHeld               // waits for its response to be sent
	modelWaiting            // for a place
	modelRunning
	modelOver
)

// A modelTask is what a task is to do, and how far it has come.
type modelTask struct {
	name     string
	needs    []string
	when     string // "ok", "failed", "panics"; "": always
	attempts int
	wait     string // what the wait function of Retry does: "pauses", "gives up", "panics"
	pause    time.Duration
	timeout  time.Duration
	obedient bool // returns when its context ends

	position, attempt     int
	added, started, began time.Duration
	wakes                 time.Duration // at the end of a pause; 0: it is running
	last                  bool          // attempt
	named                 bool          // by a shutdown
}

// A modelEnd is a task that has ended or was taken back.
type modelEnd struct {
	*modelTask
	ok bool
}

func (t *modelTask) String() string { return fmt.Sprintf("%s#%d/%d", t.name, t.position, t.attempt) }

func (l *modelList) log(format string, args ...any) {
	l.trace = append(l.trace, fmt.Sprintf(format, args...))
}

func (m *model) open(cleanup bool) {
	m.lists = append(m.lists, &modelList{m: m, cleanup: cleanup})
}

func (l *modelList) enter() {
	if l.entry == 0 {
		l.m.entries++
		l.entry = l.m.entries
	}
}

func (l *modelList) leave() { l.entry = 0 }

// add is Add, by the handler or with the context of a task.
func (l *modelList) add(own, bad bool, t modelTask) {
	if why := l.refusal(own, bad); why != "" {
		l.m.stats.Refused++
		l.log("refused %s: %s", t.name, why)
		return
	}
	l.m.stats.Accepted++
	l.m.stats.Pending++
	l.accepted++
	t.position, t.added = l.accepted, l.m.now
	l.enter()
	l.queue = append(l.queue, &t)
	l.log("accepted %s", &t)
}

func (l *modelList) refusal(own, bad bool) string {
	switch {
	case bad:
		return "bad"
	case l.phase == modelOver && !l.gaveUp, l.returned && !own:
		return "closed"
	case l.gaveUp:
		return "shutdown"
	case l.m.stats.Pending >= int64(l.m.cfg.MaxPending):
		return "full"
	case l.m.closing && !own:
		return "shutdown"
	}
	return ""
}

func (l *modelList) forget(name string) (n int) {
	l.queue = slices.DeleteFunc(l.queue, func(t *modelTask) bool {
		if t.name != name {
			return false
		}
		n++
		l.m.stats.Forgotten++
		l.end(t, false)
		l.log("forgotten %s", t)
		return true
	})
	if n > 0 && l.phase == modelOpen && l.idle() {
		l.leave()
	}
	return n
}

// watch is AfterResponse; it reports whether there is a start to wait for.
func (l *modelList) watch(own bool) bool {
	if own || l.returned || l.phase != modelOpen || l.gaveUp {
		return false
	}
	l.enter()
	l.watchers++
	return true
}

// idle reports that there is nothing to do for l, though it may be for what it has to clean up.
func (l *modelList) idle() bool { return len(l.queue) == 0 && l.watchers == 0 }

// await is Await: the handler has returned.
func (l *modelList) await(o bgtasks.Outcome) {
	if l.returned {
		return
	}
	l.returned, l.outcome = true, o
	if l.idle() && !l.cleanup {
		l.close()
		return
	}
	l.enter()
	l.phase, l.heldSince = modelHeld, l.m.now
}

func (l *modelList) start(o bgtasks.Outcome) {
	l.await(o)
	if l.phase == modelHeld {
		l.outcome = o
		l.begin()
	}
}

// begin takes a place, or waits for one; a list without tasks needs none.
func (l *modelList) begin() {
	l.told += l.watchers
	l.watchers = 0
	switch m := l.m; {
	case len(l.queue) == 0:
		l.close()
	case m.stats.Running >= int64(m.cfg.MaxRunning):
		l.phase = modelWaiting
		m.waiting = append(m.waiting, l)
		m.stats.Waiting++
	default:
		l.run()
	}
}

func (l *modelList) run() {
	l.phase = modelRunning
	l.m.stats.Running++
	l.advance()
}

// advance goes on to the next task that is to run, or gives the place to the next list.
func (l *modelList) advance() {
	for len(l.queue) > 0 {
		t := l.queue[0]
		l.queue = l.queue[1:]
		if !l.skips(t) {
			t.attempt, t.started, t.began = 1, l.m.now, l.m.now
			l.current = t
			l.log("started %s waited %v", t, t.started-t.added)
			return
		}
	}
	l.close()
	m := l.m
	m.stats.Running--
	if len(m.waiting) > 0 {
		next := m.waiting[0]
		m.waiting = m.waiting[1:]
		m.stats.Waiting--
		next.run()
	}
}

func (l *modelList) close() {
	l.phase = modelOver
	if l.cleanup && l.returned {
		l.log("cleanup")
	}
	l.leave()
}

// skips ends a task that is not to run at all.
func (l *modelList) skips(t *modelTask) bool {
	if !l.failed && t.when == "panics" {
		l.m.stats.Panicked++
		l.failed = l.m.cfg.StopOnError
		l.end(t, false)
		l.log("finished panic %s waited 0s took 0s", t)
		return true
	}
	if !l.failed && (t.when == "" || (t.when == "ok") == l.outcome.OK()) && l.met(t) {
		return false
	}
	l.m.stats.Skipped++
	l.end(t, false)
	l.log("skipped %s", t)
	return true
}

// met reports whether there were tasks of the names that t needs before it, and all
// succeeded.
func (l *modelList) met(t *modelTask) bool {
	for _, name := range t.needs {
		found := false
		for _, h := range l.history {
			if h.name != name || h.position > t.position {
				continue
			}
			if !h.ok {
				return false
			}
			found = true
		}
		if !found {
			return false
		}
	}
	return true
}

// end accounts for a task that is over.
func (l *modelList) end(t *modelTask, ok bool) {
	l.m.stats.Pending--
	l.history = append(l.history, modelEnd{t, ok})
}

// finish ends the running attempt, in one of these ways: ok, error, panic, goexit.
func (l *modelList) finish(how string) {
	t := l.current
	if how == "error" && l.timesOut(t) {
		how = "timeout"
	}
	if !t.named && l.retries(t, how) {
		return
	}
	if how == "error" || how == "timeout" {
		if t.wait == "panics" && t.attempt < t.attempts && !t.last {
			how = "panic"
		}
	}
	l.current = nil
	if !t.named {
		l.count(how)
		l.end(t, how == "ok")
		l.log("finished %s %s waited %v took %v", how, t, t.started-t.added, l.m.now-t.started)
	}
	l.advance()
}

func (l *modelList) count(how string) {
	switch how {
	case "ok":
		l.m.stats.Succeeded++
		return
	case "panic":
		l.m.stats.Panicked++
	default:
		l.m.stats.Failed++
	}
	l.failed = l.failed || l.m.cfg.StopOnError
}

// retries begins the next attempt, or the pause before it.
func (l *modelList) retries(t *modelTask, how string) bool {
	if how != "error" && how != "timeout" || t.attempt >= t.attempts || t.last || t.wait != "pauses" {
		return false
	}
	l.log("retried %s pause %v took %v", t, t.pause, l.m.now-t.began)
	t.wakes = l.m.now + t.pause
	if l.m.closing || t.pause == 0 {
		l.wake(t)
	}
	return true
}

func (l *modelList) wake(t *modelTask) {
	t.attempt++
	t.began, t.wakes, t.last = l.m.now, 0, l.m.closing
}
