package bgtasks

import (
	"context"
	"time"
)

// task is one accepted task.
type task struct {
	name  string
	fn    Func
	ctx   context.Context // whose values it sees
	opts  *options        // nil: none
	added time.Time
	state taskState
}

type taskState uint8

const (
	pending taskState = iota
	running
	succeeded
	notSucceeded
	forgotten
)

// queue holds a list's tasks in order: those that have ended (without what they held on
// to, for Needs), the one that runs, and those to come.
type queue struct {
	tasks   []task
	next    int // index of the first that may still have to run
	folded  int // how many ended tasks have been taken out of tasks
	pending int
	results map[string]bool // of those taken out, and of the first indexed ones: did all of that name succeed?
	indexed int
	one     [1]task // first storage of tasks: most lists are short
}

// foldAt is how many ended tasks are kept as they are. A list that goes on adding to
// itself must not grow with every task that it has run.
const foldAt = 64

func (q *queue) push(t task) (position int) {
	switch cap(q.tasks) {
	case 0:
		q.tasks = q.one[:0]
	case len(q.one):
		if len(q.tasks) == len(q.one) {
			q.tasks = append(make([]task, 0, 4), q.one[:]...)
			q.one = [1]task{} // which must not hold on to what its task held
		}
	}
	if q.next >= foldAt && len(q.tasks) == cap(q.tasks) {
		q.fold()
	}
	q.tasks = append(q.tasks, t)
	q.pending++
	return q.folded + len(q.tasks)
}

// empty reports that there has never been a task.
func (q *queue) empty() bool { return q.tasks == nil }

// pop marks the next pending task as running and returns its index.
func (q *queue) pop() (index int, ok bool) {
	for ; q.next < len(q.tasks); q.next++ {
		if q.tasks[q.next].state == pending {
			q.tasks[q.next].state = running
			q.pending--
			q.next++
			return q.next - 1, true
		}
	}
	return 0, false
}

// position counts from 1 over all tasks that the list has ever had.
func (q *queue) position(index int) int { return q.folded + index + 1 }

// done records how the task at that position has ended and lets go of what it held.
func (q *queue) done(position int, state taskState) {
	t := &q.tasks[position-q.folded-1]
	*t = task{name: t.name, state: state}
}

// forget takes back pending tasks, those of that name.
func (q *queue) forget(name string, each func(index int, t *task)) int {
	n := 0
	for i := q.next; i < len(q.tasks); i++ {
		if t := &q.tasks[i]; t.state == pending && t.name == name {
			each(i, t)
			*t = task{name: name, state: forgotten}
			q.pending--
			n++
		}
	}
	return n
}

// clear takes out all pending tasks.
func (q *queue) clear(each func(index int, t *task)) {
	for i := q.next; i < len(q.tasks); i++ {
		if t := &q.tasks[i]; t.state == pending {
			each(i, t)
			*t = task{name: t.name, state: forgotten}
		}
	}
	q.pending = 0
}

// succeeded reports whether there were ended tasks of that name and all succeeded.
func (q *queue) succeeded(name string) bool {
	if q.next-q.indexed > foldAt {
		q.index()
	}
	all, found := q.results[name]
	if found && !all {
		return false
	}
	for i := range q.tasks[q.indexed:q.next] {
		t := &q.tasks[q.indexed+i]
		if t.name != name || t.state == running {
			continue
		}
		if t.state != succeeded {
			return false
		}
		found = true
	}
	return found
}

// index enters ended tasks into results. The last one before next may be running: it is
// left.
func (q *queue) index() {
	if q.results == nil {
		q.results = make(map[string]bool)
	}
	for ; q.indexed < q.next-1; q.indexed++ {
		t := &q.tasks[q.indexed]
		all, found := q.results[t.name]
		q.results[t.name] = t.state == succeeded && (all || !found)
	}
}

// fold drops the tasks whose results are known.
func (q *queue) fold() {
	q.index()
	rest := copy(q.tasks, q.tasks[q.indexed:])
	clear(q.tasks[rest:])
	q.tasks = q.tasks[:rest]
	q.next -= q.indexed
	q.folded += q.indexed
	q.indexed = 0
}
