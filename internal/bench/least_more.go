package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// leastMore is what the least has to have beside, to do what the contract says: each with all
// before it.
type leastMore int

const (
	leastAlone leastMore = iota

	// leastTimes: what bgtasks.InfoFrom tells a task, name, position, Added and Started, which takes
	// a record of its own that its context leads to, and two readings of the clock.
	leastTimes

	// leastAccounts: a limit of what is pending, counts, a list of what is under way for a shutdown
	// to name, and a lock, as a handler may add from several goroutines.
	leastAccounts

	// leastSent: no task starts before its response has been sent, as net/http tells (ConnState). This
	// takes a server.
	leastSent
)

func (m leastMore) String() string {
	return [...]string{"", ", with times", ", with times and accounts", ", with times and accounts, after the response"}[m]
}

type leastRecord struct {
	leastContext
	name           string
	position       int
	added, started time.Duration
}

func (r *leastRecord) Value(key any) any {
	if key == (leastRecordKey{}) {
		return r
	}
	return r.leastContext.Value(key)
}

type leastRecordKey struct{}

// leastBooks are kept of all requests, without a thought of many cores.
type leastBooks struct {
	pending, accepted, succeeded atomic.Int64

	mu    sync.Mutex
	first *least
}

const mostPending = 65536 // as bgtasks.Config has it

func (b *leastBooks) accept(l *least) {
	if b.pending.Add(1) > mostPending {
		panic("this benchmark never has so many tasks")
	}
	b.accepted.Add(1)
	if l.tasks != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.next = b.first; l.next != nil {
		l.next.prev = l
	}
	b.first = l
}

// finished counts a task that has ended, under the lock: a shutdown either names it or not.
func (b *leastBooks) finished(l *least) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.succeeded.Add(1)
	b.pending.Add(-1)
}

func (b *leastBooks) end(l *least) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		b.first = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	}
}

// A leastConn knows the tasks that wait for the response on its connection.
type leastConn struct{ waiting *least }

type leastConnKey struct{}

// attachLeast has the server start them, of leastSent.
func attachLeast(srv *http.Server) {
	var conns sync.Map // net.Conn: *leastConn
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		c := new(leastConn)
		conns.Store(nc, c)
		return context.WithValue(ctx, leastConnKey{}, c)
	}
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		switch state {
		case http.StateIdle:
			found, _ := conns.Load(nc)
			if c := found.(*leastConn); c.waiting != nil {
				go c.waiting.run()
				c.waiting = nil
			}
		case http.StateClosed:
			conns.Delete(nc)
		}
	}
}
