package bgtasks_test

import (
	"fmt"
	"slices"
)

// The model is what lists should do, as plain sequential code: no locks, no goroutines,
// the running task just a field. model_check_test.go compares it with the real thing.
type model struct {
	limit   int // MaxPending
	pending int
	closing bool // a shutdown has begun
	over    bool // and its deadline has passed
	lists   []*modelList
}

type modelList struct {
	m        *model
	returned bool // the handler has
	started  bool
	ended    bool
	accepted int
	queue    []modelTask
	current  *modelTask
	history  []modelEnd
	trace    []string
}

type modelTask struct {
	name     string
	needs    []string
	position int
}

// A modelEnd is a task that has ended or was taken back.
type modelEnd struct {
	modelTask
	ok bool
}

func (t modelTask) String() string { return fmt.Sprintf("%s#%d", t.name, t.position) }

func (m *model) open() {
	m.lists = append(m.lists, &modelList{m: m})
}

// add is Add, by the handler or by the running task; it reports whether it is accepted.
func (l *modelList) add(byTask bool, name string, needs []string) bool {
	refused := l.ended || l.m.over || l.m.pending >= l.m.limit || !byTask && (l.returned || l.m.closing)
	if refused {
		l.trace = append(l.trace, "refused "+name)
		return false
	}
	l.m.pending++
	l.accepted++
	l.queue = append(l.queue, modelTask{name, needs, l.accepted})
	l.trace = append(l.trace, "accepted "+l.queue[len(l.queue)-1].String())
	return true
}

func (l *modelList) forget(name string) int {
	before := len(l.queue)
	l.queue = slices.DeleteFunc(l.queue, func(t modelTask) bool {
		if t.name != name {
			return false
		}
		l.end(t, false, "forgotten")
		return true
	})
	return before - len(l.queue)
}

func (l *modelList) start() {
	if l.started {
		return
	}
	l.started, l.returned = true, true
	l.advance()
}

// finish ends the running task.
func (l *modelList) finish(how string) {
	if !l.m.over {
		l.end(*l.current, how == "ok", "finished "+how)
	}
	l.current = nil
	l.advance()
}

func (l *modelList) end(t modelTask, ok bool, how string) {
	l.m.pending--
	l.history = append(l.history, modelEnd{t, ok})
	l.trace = append(l.trace, how+" "+t.String())
}

// advance goes on to the next task that is to run.
func (l *modelList) advance() {
	for len(l.queue) > 0 {
		t := l.queue[0]
		l.queue = l.queue[1:]
		if l.met(t) {
			l.current = &t
			l.trace = append(l.trace, "started "+t.String())
			return
		}
		l.end(t, false, "skipped")
	}
	l.ended = true
}

// met reports whether there were tasks of the names that t needs before it, and all
// succeeded.
func (l *modelList) met(t modelTask) bool {
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

// deadline is the end of a shutdown's time.
func (m *model) deadline() {
	m.closing, m.over = true, true
	for _, l := range m.lists {
		if l.current != nil {
			l.trace = append(l.trace, "unfinished "+l.current.String())
			m.pending--
		}
		for _, t := range l.queue {
			l.trace = append(l.trace, "unfinished "+t.String())
			m.pending--
		}
		l.queue = nil
	}
}
