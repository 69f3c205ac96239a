package main

import (
	"errors"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A feed passes on what happens to tasks, as it happens, to whoever watches. Watching harms
// nobody: publish never waits, and a watcher that is too slow to take what comes is dropped.
type feed struct {
	mu       sync.Mutex
	watchers map[chan taskEvent]struct{}
	closed   bool
}

const (
	maxWatchers = 100
	maxBehind   = 256 // events that a watcher may be behind
)

// taskEvent is what the runner observed, and when.
type taskEvent struct {
	bgtasks.Event
	At time.Time
}

var errTooManyWatch = errors.New("too many watch at the moment")

func newFeed() *feed { return &feed{watchers: make(map[chan taskEvent]struct{})} }

// publish is an observer of the runner, which calls it with a list locked: so it has to be fast.
func (f *feed) publish(e bgtasks.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	event := taskEvent{e, time.Now()}
	for c := range f.watchers {
		select {
		case c <- event:
		default:
			f.drop(c)
		}
	}
}

// watch returns what is published from now on. The channel is closed when its watcher has
// been too slow, or by close. Call stop at the end.
func (f *feed) watch() (events <-chan taskEvent, stop func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watchers) >= maxWatchers {
		return nil, nil, errTooManyWatch
	}
	c := make(chan taskEvent, maxBehind)
	f.watchers[c] = struct{}{}
	if f.closed {
		f.drop(c)
	}
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(c)
	}, nil
}

// drop lets go of a watcher; once is enough.
func (f *feed) drop(c chan taskEvent) {
	if _, ok := f.watchers[c]; ok {
		delete(f.watchers, c)
		close(c)
	}
}

// close ends all watching, for good. It is for the beginning of a shutdown: a stream that has
// no end would keep the server from ending.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.watchers {
		f.drop(c)
	}
}

// over reports whether close was called.
func (f *feed) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}
