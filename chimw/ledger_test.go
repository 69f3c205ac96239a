package chimw_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/stretchr/testify/assert"
)

// A ledger follows every task from the day it is accepted, by what Runner.Observe reports, and
// notes whatever cannot be: an end without a beginning, a second end, a wrong order.
type ledger struct {
	mu         sync.Mutex
	lists      map[uint64]*listAccount
	counts     map[bgtasks.Kind]int64
	unfinished map[taskKey]bool
	problems   []string
	problem    int
	closed     bool
}

type taskKey struct {
	list     uint64
	position int
}

type listAccount struct {
	tasks []taskState // by position
	turn  int         // position of the last one that started or was skipped
}

type taskState uint8

const (
	unknown taskState = iota
	pending
	running
	ended
)

func newLedger() *ledger {
	return &ledger{
		lists:      map[uint64]*listAccount{},
		counts:     map[bgtasks.Kind]int64{},
		unfinished: map[taskKey]bool{},
	}
}

// observe is for Runner.Observe.
func (l *ledger) observe(e bgtasks.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[e.Kind]++
	if l.closed && e.Kind != bgtasks.Refused {
		l.complain(e, "after the end")
	}
	if e.Kind != bgtasks.Refused {
		l.enter(e)
	}
}

func (l *ledger) enter(e bgtasks.Event) {
	switch e.Kind {
	case bgtasks.Accepted:
		l.accept(e)
	case bgtasks.Started:
		l.takeTurn(e)
		l.move(e, running, pending)
	case bgtasks.Retried:
		l.move(e, running, running)
	case bgtasks.Skipped:
		l.takeTurn(e)
		l.move(e, ended, pending)
	case bgtasks.Forgotten:
		l.move(e, ended, pending)
	case bgtasks.Finished:
		l.move(e, ended, running)
	case bgtasks.Unfinished:
		l.move(e, ended, pending, running)
		l.unfinished[taskKey{e.Info.ID, e.Info.Position}] = true
	}
}

func (l *ledger) accept(e bgtasks.Event) {
	list := l.lists[e.Info.ID]
	if list == nil {
		list = &listAccount{}
		l.lists[e.Info.ID] = list
	}
	list.tasks = append(list.tasks, pending)
	if e.Info.Position != len(list.tasks) {
		l.complain(e, fmt.Sprintf("accepted as number %d", len(list.tasks)))
	}
}

func (l *ledger) takeTurn(e bgtasks.Event) {
	list := l.lists[e.Info.ID]
	if list == nil {
		return // move complains
	}
	if e.Info.Position <= list.turn {
		l.complain(e, fmt.Sprintf("out of turn, after number %d", list.turn))
	}
	list.turn = e.Info.Position
}

func (l *ledger) move(e bgtasks.Event, to taskState, from ...taskState) {
	list, at := l.lists[e.Info.ID], e.Info.Position-1
	if list == nil || at < 0 || at >= len(list.tasks) {
		l.complain(e, "never accepted")
		return
	}
	for _, allowed := range from {
		if list.tasks[at] == allowed {
			list.tasks[at] = to
			return
		}
	}
	l.complain(e, fmt.Sprintf("while in state %d", list.tasks[at]))
}

func (l *ledger) complain(e bgtasks.Event, what string) {
	if l.problem++; l.problem <= 10 {
		l.problems = append(l.problems,
			fmt.Sprintf("%s of %q, number %d of list %d: %s", e.Kind, e.Info.Name, e.Info.Position, e.Info.ID, what))
	}
}

// close says that there is nothing to come any more.
func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// open is how many accepted tasks have not ended.
func (l *ledger) open() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, list := range l.lists {
		for _, state := range list.tasks {
			if state != ended {
				n++
			}
		}
	}
	return n
}

// count is how many events of the kind there were.
func (l *ledger) count(kind bgtasks.Kind) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[kind]
}

// named returns the tasks that were reported as unfinished.
func (l *ledger) named() map[taskKey]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.unfinished)
}

// forgetLists gives back the memory that the lists take.
func (l *ledger) forgetLists() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lists = map[uint64]*listAccount{}
}

// assertBalanced checks that every accepted task has ended once and in its turn.
func (l *ledger) assertBalanced(t *testing.T) {
	t.Helper()
	open := l.open()
	l.mu.Lock()
	defer l.mu.Unlock()
	assert.Zero(t, l.problem, "%q", l.problems)
	assert.Zero(t, open, "tasks accepted that neither ended nor were reported")
	assert.Equal(t, l.counts[bgtasks.Accepted],
		l.counts[bgtasks.Finished]+l.counts[bgtasks.Skipped]+l.counts[bgtasks.Forgotten]+l.counts[bgtasks.Unfinished])
}

// assertAgreesWith checks that the runner's own counts say the same.
func (l *ledger) assertAgreesWith(t *testing.T, stats bgtasks.Stats) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	assert.Equal(t, l.counts[bgtasks.Accepted], stats.Accepted)
	assert.Equal(t, l.counts[bgtasks.Refused], stats.Refused)
	assert.Equal(t, l.counts[bgtasks.Finished], stats.Succeeded+stats.Failed+stats.Panicked)
	assert.Equal(t, l.counts[bgtasks.Skipped], stats.Skipped)
	assert.Equal(t, l.counts[bgtasks.Forgotten], stats.Forgotten)
	assert.Equal(t, l.counts[bgtasks.Unfinished], stats.Unfinished)
	assert.Zero(t, stats.Pending)
}
