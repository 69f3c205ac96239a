package bgtasks_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A chronicle follows every task by what observers are told and by what the tasks themselves
// do, and notes whatever cannot be.
type chronicle struct {
	run *bgtasks.Runner
	cfg bgtasks.Config

	mu       sync.Mutex
	tasks    map[taskKey]*taskLife
	inside   map[uint64]int // the position of the task that runs in a list
	reached  map[uint64]int // the highest so far
	problems []string
	accepts  int64 // by what Add returned
	refusals int64
}

type taskLife struct {
	started, ended bool
	end            bgtasks.Kind
	attempts       int // by what observers were told
	bodies         int // how many times it has been called
}

func newChronicle(run *bgtasks.Runner, cfg bgtasks.Config) *chronicle {
	c := &chronicle{run: run, cfg: cfg, tasks: map[taskKey]*taskLife{}, inside: map[uint64]int{}, reached: map[uint64]int{}}
	run.Observe(c.look)
	return c
}

func (c *chronicle) complain(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *chronicle) look(e bgtasks.Event) {
	s := c.run.Stats()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cfg.MaxPending > 0 && s.Pending > int64(c.cfg.MaxPending) || c.cfg.MaxRunning > 0 && s.Running > int64(c.cfg.MaxRunning) {
		c.complain("limits exceeded: %+v", s)
	}
	if e.Kind == bgtasks.Refused {
		return
	}
	k := taskKey{e.Info.ID, e.Info.Position}
	t := c.tasks[k]
	switch {
	case e.Kind == bgtasks.Accepted && t == nil:
		c.tasks[k] = &taskLife{}
	case t == nil, e.Kind == bgtasks.Accepted, t.ended:
		c.complain("%v %+v: %+v", e.Kind, k, t)
	default:
		c.follow(e, k, t)
	}
}

// follow is told of what happens to a task between its being accepted and its end.
func (c *chronicle) follow(e bgtasks.Event, k taskKey, t *taskLife) {
	switch e.Kind {
	case bgtasks.Started:
		if t.started || k.position <= c.reached[k.list] {
			c.complain("started twice or out of order: %+v", k)
		}
		t.started, t.attempts = true, 1
		c.reached[k.list] = k.position
	case bgtasks.Retried:
		if t.attempts++; !t.started {
			c.complain("retried before it started: %+v", k)
		}
	default:
		t.ended, t.end = true, e.Kind
		if t.started && (e.Kind == bgtasks.Skipped || e.Kind == bgtasks.Forgotten) {
			c.complain("%v though it had started: %+v", e.Kind, k)
		}
	}
}

// enter is called by a task when it begins, with its list and position, and leave when it is through.
func (c *chronicle) enter(info bgtasks.Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := taskKey{info.ID, info.Position}
	if c.inside[k.list] != 0 {
		c.complain("%+v runs beside position %d", k, c.inside[k.list])
	}
	c.inside[k.list] = k.position
	t := c.tasks[k]
	if t == nil || !t.started {
		c.complain("%+v runs without having started: %+v", k, t)
		return
	}
	t.bodies++
}

func (c *chronicle) leave(info bgtasks.Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside[info.ID] = 0
}

// answered notes what Add has returned; over says that it must not accept any more.
func (c *chronicle) answered(err error, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.refusals++
		return
	}
	if c.accepts++; over {
		c.complain("accepted after the shutdown")
	}
}

// check is for the end, when nothing is in motion. named are the tasks that a shutdown has
// called unfinished.
func (c *chronicle) check(t *testing.T, named []bgtasks.Info) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	unfinished := map[taskKey]bool{}
	for _, info := range named {
		unfinished[taskKey{info.ID, info.Position}] = true
	}
	assert.Len(t, unfinished, len(named), "named once each")
	for k, life := range c.tasks {
		if !life.ended {
			c.complain("never ended: %+v", k)
		}
		if (life.end == bgtasks.Unfinished) != unfinished[k] {
			c.complain("%+v ended as %v, named: %v", k, life.end, unfinished[k])
		}
		if life.bodies != life.attempts && (life.end != bgtasks.Unfinished || life.bodies > life.attempts+1) {
			c.complain("%+v ran %d times in %d attempts", k, life.bodies, life.attempts)
		}
	}
	require.Empty(t, c.problems)
	s := c.run.Stats()
	assert.Equal(t, []int64{c.accepts, c.refusals}, []int64{s.Accepted, s.Refused})
	assert.Len(t, c.tasks, int(c.accepts))
	assert.Zero(t, s.Pending+s.Waiting+s.Running, "%+v", s)
	checkBalance(t, s)
}
