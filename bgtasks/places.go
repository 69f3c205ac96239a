package bgtasks

import (
	"sync"
	"sync/atomic"
)

// places bounds how many lists run at once (Config.MaxRunning), each in a goroutine of its
// own, and keeps those that have to wait in the order in which they came.
//
// Starting a goroutine costs more than a short list does, and when many lists come at once
// they come faster than goroutines are scheduled. So only a few goroutines are being started at
// a time: lists that come before those have begun wait in line. One that begins first has the
// next started, if any list waits, and only then runs its own: however long that takes, the
// line moves on. A goroutine whose list has ended takes the next from the line; when there is
// none it ends. So lists run side by side as if each had its own goroutine from the beginning,
// short ones share a few, and an idle runner has none.
type places struct {
	max   int64
	_     [cacheLine]byte
	state atomic.Int64 // how many lists run, and, in units of starting, goroutines that have not begun
	_     [cacheLine]byte
	line  line
}

const (
	starting     = 1 << 56
	mostStarting = 16 // so that requests on different cores do not get in each other's line

	// cacheLine keeps apart what different cores change.
	cacheLine = 64
)

// start takes a place for a list whose goroutine is to be started: not if there is none, or
// while others enough are being started.
func (p *places) start() bool {
	for {
		n := p.state.Load()
		if n%starting >= p.max || n/starting >= mostStarting {
			return false
		}
		if p.state.CompareAndSwap(n, n+1+starting) {
			return true
		}
	}
}

// abandon gives back what start has taken.
func (p *places) abandon() { p.state.Add(-1 - starting) }

// begun is called first by a goroutine that was started.
func (p *places) begun() { p.state.Add(-starting) }

// acquire takes a place for the goroutine that calls it.
func (p *places) acquire() bool {
	for {
		n := p.state.Load()
		if n%starting >= p.max {
			return false
		}
		if p.state.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (p *places) running() int64 { return p.state.Load() % starting }

// next returns a list that waits, with a place in which a goroutine is to be started for it;
// nil if none waits or none can be started. It is called after every step that could leave a
// list waiting which nobody has in mind: after a list has joined the line, and when a
// goroutine begins. Each such step is visible to what comes after it, so of two that happen
// at the same time one finds the list.
func (p *places) next() *List {
	for p.line.waits() && p.start() {
		if l := p.line.pop(); l != nil {
			return l
		}
		p.abandon()
	}
	return nil
}

// pass hands the caller's place on to a list that waits, or gives it up.
func (p *places) pass() *List {
	if p.line.waits() {
		if l := p.line.pop(); l != nil {
			return l
		}
	}
	p.state.Add(-1)
	for p.line.waits() && p.acquire() { // one may have come that saw no free place
		if l := p.line.pop(); l != nil {
			return l
		}
		p.state.Add(-1)
	}
	return nil
}

// line is a queue of lists. Those who join take no lock: only those who take lists out do,
// the runner's own goroutines.
type line struct {
	joined atomic.Pointer[List] // the latest first
	length atomic.Int64         // changed after a push, and with a pop: never too large

	mu    sync.Mutex
	first *List // the earliest first, all earlier than joined
}

func (q *line) waits() bool { return q.length.Load() > 0 }

func (q *line) push(l *List) {
	for {
		l.nextWaiting = q.joined.Load()
		if q.joined.CompareAndSwap(l.nextWaiting, l) {
			q.length.Add(1)
			return
		}
	}
}

func (q *line) pop() *List {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.first == nil {
		q.turn()
	}
	l := q.first
	if l == nil {
		return nil
	}
	q.first, l.nextWaiting = l.nextWaiting, nil
	q.length.Add(-1)
	return l
}

// turn moves the lists that have joined over to first, turning their order round.
func (q *line) turn() {
	for l := q.joined.Swap(nil); l != nil; {
		next := l.nextWaiting
		l.nextWaiting, q.first = q.first, l
		l = next
	}
}
