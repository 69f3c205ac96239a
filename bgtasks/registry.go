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
	wake chan struct{} // closed when the oldest list of a shard has gone; nil while nobody waits
}

const shardCount = 16

type shard struct {
	mu          sync.Mutex
	first, last *List  // newest and oldest
	seq         uint64 // entries so far
	counts      counts // of the lists that belong here
	_           [2*cacheLine - 88]byte
}

// add enters l and gives it its ID, the first time.
func (g *registry) add(l *List) {
	if l.id == 0 {
		l.id = uint64(rand.Uint32() % shardCount) // until there is a sequence number to add
	}
	s := g.shardOf(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	if l.id < shardCount {
		l.id += s.seq * shardCount
	}
	l.listed, l.entry, l.next = true, s.seq, s.first
	if s.first != nil {
		s.first.prev = l
	} else {
		s.last = l
	}
	s.first = l
}

func (g *registry) shardOf(l *List) *shard { return &g.shards[l.id%shardCount] }

// remove takes l out; it is a no-op for one that is not in.
func (g *registry) remove(l *List) {
	if !l.listed {
		return
	}
	s := g.shardOf(l)
	s.mu.Lock()
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		s.first = l.next
	}
	oldest := l.next == nil
	if oldest {
		s.last = l.prev
	} else {
		l.next.prev = l.prev
	}
	l.listed, l.prev, l.next = false, nil, nil
	s.mu.Unlock()
	if oldest && g.waiters.Load() > 0 {
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

// changed returns a channel that is closed when it is time to look at gone again.
func (g *registry) changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wake == nil {
		g.wake = make(chan struct{})
	}
	return g.wake
}

// A mark is a moment in the registry's life.
type mark [shardCount]uint64

func (g *registry) mark() (m mark) {
	for i := range g.shards {
		s := &g.shards[i]
		s.mu.Lock()
		m[i] = s.seq
		s.mu.Unlock()
	}
	return m
}

// gone reports that no list is left of those that were in at m.
func (g *registry) gone(m mark) bool {
	for i := range g.shards {
		s := &g.shards[i]
		s.mu.Lock()
		left := s.last != nil && s.last.entry <= m[i]
		s.mu.Unlock()
		if left {
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
