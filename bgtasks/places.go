package bgtasks

import (
	"sync"
	"sync/atomic"
)

// places counts the lists that run and keeps those that have to wait, in the order in
// which they came.
type places struct {
	max     int64
	running atomic.Int64
	waiting atomic.Int64 // length of the queue below

	mu          sync.Mutex
	first, last *List
}

// take takes a free place, unless others wait for one.
func (p *places) take() bool { return p.waiting.Load() == 0 && p.acquire() }

func (p *places) acquire() bool {
	for {
		n := p.running.Load()
		if n >= p.max {
			return false
		}
		if p.running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (p *places) enqueue(l *List) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == nil {
		p.first = l
	} else {
		p.last.nextWaiting = l
	}
	p.last = l
	p.waiting.Add(1)
}

func (p *places) dequeue() *List {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.first
	if l == nil {
		return nil
	}
	p.first, l.nextWaiting = l.nextWaiting, nil
	if p.first == nil {
		p.last = nil
	}
	p.waiting.Add(-1)
	return l
}

// next takes a place for a list that waits. It is called after every step that could
// have left one waiting beside a free place: after an enqueue and after a release. Each
// of those is visible to the other's next, so one of the two finds the list.
func (p *places) next() *List {
	for p.waiting.Load() > 0 && p.acquire() {
		if l := p.dequeue(); l != nil {
			return l
		}
		p.running.Add(-1)
	}
	return nil
}

// pass hands the caller's place on to a list that waits, or gives it up.
func (p *places) pass() *List {
	if p.waiting.Load() > 0 {
		if l := p.dequeue(); l != nil {
			return l
		}
	}
	p.running.Add(-1)
	return p.next()
}
