package bgtasks

// queue holds a list's tasks in order: those that have ended (by name and result only, for
// Needs), the one that runs, and those to come.
type queue struct {
	tasks   []entry
	next    int // index of the first that may still have to run
	pending int
	past    *past    // nil until it is needed
	one     [1]entry // first storage of tasks: most lists are short
}

// entry is one accepted task.
type entry struct {
	name  string
	task  *attempt // nil once it has ended
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

// past is what a long list remembers of tasks that have ended.
type past struct {
	folded  int             // how many have been taken out of tasks
	indexed int             // how many of those in tasks are in results, the first
	results map[string]bool // of both: did all of that name succeed?
}

// foldAt is how many ended tasks are kept as they are. A list that goes on adding to
// itself must not grow with every task that it has run.
const foldAt = 64

// push adds a task, and sets its position.
func (q *queue) push(a *attempt) {
	switch cap(q.tasks) {
	case 0:
		q.tasks = q.one[:0]
	case len(q.one):
		if len(q.tasks) == len(q.one) {
			q.tasks = append(make([]entry, 0, 4), q.one[:]...)
			q.one = [1]entry{} // which must not hold on to what its task held
		}
	}
	if q.next >= foldAt && len(q.tasks) == cap(q.tasks) {
		q.fold()
	}
	q.tasks = append(q.tasks, entry{name: a.name, task: a})
	q.pending++
	a.position = q.folded() + len(q.tasks)
}

// empty reports that there has never been a task.
func (q *queue) empty() bool { return q.tasks == nil }

// pop marks the next pending task as running and returns it, or nil.
func (q *queue) pop() *attempt {
	for ; q.next < len(q.tasks); q.next++ {
		if e := &q.tasks[q.next]; e.state == pending {
			e.state = running
			q.pending--
			q.next++
			return e.task
		}
	}
	return nil
}

// folded is how many tasks have been taken out of tasks. Positions count from 1 over all
// that the list has ever had.
func (q *queue) folded() int {
	if q.past == nil {
		return 0
	}
	return q.past.folded
}

// startAfter has the positions of an empty queue begin after that one.
func (q *queue) startAfter(position int) {
	if position > 0 {
		q.past = &past{folded: position, results: make(map[string]bool)}
	}
}

// done records how the task at that position has ended and lets go of it.
func (q *queue) done(position int, state taskState) {
	e := &q.tasks[position-q.folded()-1]
	e.task, e.state = nil, state
}

// forget takes back pending tasks, those of that name.
func (q *queue) forget(name string, each func(*attempt)) int {
	before := q.pending
	q.drop(func(a *attempt) bool {
		return a.name == name
	}, each)
	return before - q.pending
}

// drop takes out the pending tasks for which out is true, and then tells each of it.
func (q *queue) drop(out func(*attempt) bool, each func(*attempt)) {
	for i := q.next; i < len(q.tasks); i++ {
		if e := &q.tasks[i]; e.state == pending && out(e.task) {
			a := e.task
			e.task, e.state = nil, forgotten
			q.pending--
			each(a)
		}
	}
}

// succeeded reports whether there were ended tasks of that name and all succeeded.
func (q *queue) succeeded(name string) bool {
	indexed, all, found := 0, true, false
	if q.past != nil || q.next > foldAt {
		indexed, all, found = q.lookUp(name)
	}
	for i := range q.tasks[indexed:q.next] {
		t := &q.tasks[indexed+i]
		if t.name != name || t.state == running {
			continue
		}
		all, found = all && t.state == succeeded, true
	}
	return all && found
}

// lookUp is succeeded for the tasks that have been indexed.
func (q *queue) lookUp(name string) (indexed int, all, found bool) {
	if q.past == nil || q.next-q.past.indexed > foldAt {
		q.index()
	}
	succeeded, found := q.past.results[name]
	return q.past.indexed, succeeded || !found, found
}

// index enters ended tasks into results. The last one before next may be running: it is
// left.
func (q *queue) index() {
	if q.past == nil {
		q.past = &past{results: make(map[string]bool)}
	}
	p := q.past
	for ; p.indexed < q.next-1; p.indexed++ {
		t := &q.tasks[p.indexed]
		all, found := p.results[t.name]
		p.results[t.name] = t.state == succeeded && (all || !found)
	}
}

// fold drops the tasks whose results are known.
func (q *queue) fold() {
	q.index()
	p := q.past
	rest := copy(q.tasks, q.tasks[p.indexed:])
	clear(q.tasks[rest:])
	q.tasks = q.tasks[:rest]
	q.next -= p.indexed
	p.folded += p.indexed
	p.indexed = 0
}
