package bgtasks_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// TestListsThatMeet has two lists start, reach into each other and be shut down, in every order.
// The first task of each waits for the other's to have begun, so that with one place for both
// neither comes to an end before the shutdown's deadline.
func TestListsThatMeet(t *testing.T) {
	names := []string{"a starts", "b starts", "a reaches into b", "b reaches into a", "shutdown"}
	for places := range 2 {
		for _, order := range permutations([]int{0, 1, 2, 3, 4}) {
			synctest.Test(t, func(t *testing.T) {
				m := newMeeting(t, places+1)
				for _, i := range order {
					m.label += names[i] + ", "
					[]func(){
						func() { m.start(m.sides[0]) }, func() { m.start(m.sides[1]) },
						func() { m.reach(m.sides[0], m.sides[1]) }, func() { m.reach(m.sides[1], m.sides[0]) },
						m.shutDown,
					}[i]()
					synctest.Wait()
				}
				m.end()
			})
		}
	}
}

func permutations(of []int) (all [][]int) {
	if len(of) == 0 {
		return [][]int{nil}
	}
	for i, first := range of {
		for _, rest := range permutations(slices.Delete(slices.Clone(of), i, i+1)) {
			all = append(all, append([]int{first}, rest...))
		}
	}
	return all
}

type meeting struct {
	t       *testing.T
	label   string
	places  int
	run     *bgtasks.Runner
	sides   [2]*side
	closing bool
	cut     context.CancelFunc
	result  chan error
}

// A side is a list, and what is expected of it.
type side struct {
	name     string
	ctx      context.Context
	list     *bgtasks.List
	begun    chan struct{} // its first task has
	commands chan func()   // for that
	ran      journal

	started bool
	tasks   []string // not taken back
}

func newMeeting(t *testing.T, places int) *meeting {
	run := newRunner(bgtasks.Config{MaxRunning: places, SendTimeout: -1})
	m := &meeting{t: t, label: fmt.Sprint(places, " places: "), places: places, run: run, result: make(chan error, 1)}
	for i, name := range []string{"a", "b"} {
		s := &side{name: name, begun: make(chan struct{}), commands: make(chan func())}
		s.ctx, s.list = run.Open(context.Background(), bgtasks.Info{})
		m.sides[i] = s
	}
	for i, s := range m.sides {
		add(t, s.ctx, s.name+" meets", s.meets(m.sides[1-i]))
		add(t, s.ctx, s.name+" after", s.ran.noting(s.name+" after", nothing))
		s.tasks = []string{s.name + " meets", s.name + " after"}
	}
	return m
}

func (s *side) meets(other *side) bgtasks.Func {
	return func(ctx context.Context) error {
		s.ran.note(s.name + " meets")
		close(s.begun)
		for {
			select {
			case <-other.begun:
				return nil
			case do := <-s.commands:
				do()
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

func (m *meeting) start(s *side) {
	s.started = true
	s.list.Start(sent)
}

// met reports that both lists have ended.
func (m *meeting) met() bool { return m.places > 1 && m.sides[0].started && m.sides[1].started }

// reach adds to the other list as its own handler would, and takes one of its tasks back: in
// the task of s, if that runs.
func (m *meeting) reach(s, other *side) {
	do := func() {
		err := bgtasks.Add(other.ctx, "guest", other.ran.noting("guest", nothing))
		switch {
		case other.started:
			assert.ErrorIs(m.t, err, bgtasks.ErrClosed, m.label)
		case m.closing:
			assert.ErrorIs(m.t, err, bgtasks.ErrShutdown, m.label)
		default:
			assert.NoError(m.t, err, m.label)
			other.tasks = append(other.tasks, "guest")
		}
		taken := 0
		if !m.met() {
			taken = 1
			other.tasks = slices.DeleteFunc(other.tasks, func(name string) bool { return name == other.name+" after" })
		}
		assert.Equal(m.t, taken, bgtasks.Forget(other.ctx, other.name+" after"), m.label)
	}
	select {
	case s.commands <- do:
	default:
		do()
	}
}

func (m *meeting) shutDown() {
	m.closing = true
	ctx, cut := context.WithCancel(context.Background())
	m.cut = cut
	go func() { m.result <- m.run.Shutdown(ctx) }()
}

// end compares: with a place for each, all has run; with one for both, the first task of
// one list has, and the shutdown names all of them.
func (m *meeting) end() {
	var unfinishedTasks []string
	for _, s := range m.sides {
		unfinishedTasks = append(unfinishedTasks, s.tasks...)
	}
	if m.places > 1 {
		require.NoError(m.t, <-m.result, m.label)
		for _, s := range m.sides {
			assert.Equal(m.t, s.tasks, s.ran.all(), m.label)
		}
	} else {
		require.Empty(m.t, m.result, m.label)
		m.cut()
		assert.ElementsMatch(m.t, unfinishedTasks, unfinished(m.t, <-m.result), m.label)
		synctest.Wait()
		assert.Len(m.t, append(m.sides[0].ran.all(), m.sides[1].ran.all()...), 1, m.label)
	}
	m.cut()
	checkBalance(m.t, m.run.Stats())
	assert.Zero(m.t, m.run.Stats().Pending, m.label)
	assert.Zero(m.t, m.run.Stats().Running, m.label)
}
