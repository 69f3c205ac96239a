package bgtasks

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// registry holds the lists that have something to do, so that a shutdown can wait for
// them and name their tasks. It is split into shards, each with a lock of its own, so
// that requests do not queue up behind one lock.
//
// Locks are taken in the order list, shard.
type registry struct {
	shards  [shardCount]shard
	waiters atomic.Int32

	mu   sync.Mutex
	wake chan struct{} // closed when a shard has become empty; nil while nobody waits
}

const shardCount = 16

type shard struct {
	mu    sync.Mutex
	first *List
	seq   uint64
	_     [64 - 24]byte // a cache line each
}

// add enters l and gives it its ID, the first time.
func (g *registry) add(l *List) {
	n := rand.Uint32() % shardCount
	s := &g.shards[n]
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.id == 0 {
		s.seq++
		l.id = s.seq*shardCount + uint64(n)
	}
	l.shard, l.next = s, s.first
	if s.first != nil {
		s.first.prev = l
	}
	s.first = l
}

// remove takes l out; it is a no-op for one that is not in.
func (g *registry) remove(l *List) {
	s := l.shard
	if s == nil {
		return
	}
	s.mu.Lock()
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		s.first = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	}
	l.shard, l.prev, l.next = nil, nil, nil
	empty := s.first == nil
	s.mu.Unlock()
	if empty && g.waiters.Load() > 0 {
		g.signal()
	}
}

func (g *registry) signal() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wake != nil {
		close(g.wake)
		g.wake = nil
	}
}

// changed returns a channel that is closed when it is time to look at empty again.
func (g *registry) changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wake == nil {
		g.wake = make(chan struct{})
	}
	return g.wake
}

// empty reports that every list which was in when it was called has gone since.
func (g *registry) empty() bool {
	for i := range g.shards {
		s := &g.shards[i]
		s.mu.Lock()
		first := s.first
		s.mu.Unlock()
		if first != nil {
			return false
		}
	}
	return true
}

// snapshot returns the lists that are in.
func (g *registry) snapshot() []*List {
	var all []*List
	for i := range g.shards {
		s := &g.shards[i]
		s.mu.Lock()
		for l := s.first; l != nil; l = l.next {
			all = append(all, l)
		}
		s.mu.Unlock()
	}
	return all
}
