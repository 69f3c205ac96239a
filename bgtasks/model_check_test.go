package bgtasks_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// TestRandomOperationsAgreeWithTheModel does the same random operations to the real
// thing and to the model, and compares them after each.
func TestRandomOperationsAgreeWithTheModel(t *testing.T) {
	for seed := range uint64(many(t, 500)) {
		synctest.Test(t, func(t *testing.T) { newChecker(t, seed).run(120) })
	}
}

// A checker holds the real runner and the model side by side.
type checker struct {
	t     *testing.T
	rng   *rand.Rand
	seed  uint64
	steps []string

	model  *model
	runner *bgtasks.Runner
	lists  []*realList

	mu  sync.Mutex
	ids map[uint64]int // of the lists that have accepted a task

	cut      context.CancelFunc // the deadline of the shutdown
	shutdown chan error
}

// A realList is driven from outside: its running task does what it is sent.
type realList struct {
	ctx      context.Context
	list     *bgtasks.List
	commands chan command

	mu    sync.Mutex
	trace []string
}

// A command is done by the running task, in it; the last one ends it.
type command struct {
	do   func(ctx context.Context) error
	last bool
}

func newChecker(t *testing.T, seed uint64) *checker {
	const limit = 12
	c := &checker{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)),
		model:    &model{limit: limit},
		runner:   newRunner(bgtasks.Config{MaxPending: limit, MaxRunning: -1}),
		ids:      map[uint64]int{},
		shutdown: make(chan error, 1),
	}
	c.runner.Observe(c.look)
	return c
}

// look writes the trace of the list that an event belongs to.
func (c *checker) look(e bgtasks.Event) {
	what := e.Kind.String()
	var p *bgtasks.PanicError
	switch {
	case e.Kind == bgtasks.Refused:
		return // written by add, as the event of a closed list doesn't say whose it is
	case e.Kind != bgtasks.Finished:
	case e.Err == nil:
		what += " ok"
	case errors.As(e.Err, &p):
		what += " panic"
	case errors.Is(e.Err, bgtasks.ErrGoexit):
		what += " goexit"
	default:
		what += " error"
	}
	c.lists[c.index(e)].write(fmt.Sprintf("%s %s#%d", what, e.Info.Name, e.Info.Position))
}

// index says which list an event belongs to.
func (c *checker) index(e bgtasks.Event) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.ids[e.Info.ID]; !known {
		var index int
		_, err := fmt.Sscan(e.Info.RequestID, &index)
		assert.NoError(c.t, err)
		c.ids[e.Info.ID] = index
	}
	return c.ids[e.Info.ID]
}

func (l *realList) write(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trace = append(l.trace, line)
}

func (l *realList) add(ctx context.Context, name string, needs []string) {
	var opts []bgtasks.Option
	if len(needs) > 0 {
		opts = append(opts, bgtasks.Needs(needs...))
	}
	if bgtasks.Add(ctx, name, l.obey, opts...) != nil {
		l.write("refused " + name)
	}
}

func (l *realList) obey(ctx context.Context) error {
	for {
		c := <-l.commands
		if err := c.do(ctx); c.last {
			return err
		}
	}
}

func (c *checker) run(steps int) {
	for range steps {
		c.step()
		c.compare()
	}
	c.windUp()
}

// step does one random operation that makes sense at the moment.
func (c *checker) step() {
	if len(c.lists) == 0 || c.rng.IntN(25) == 0 {
		c.open()
		return
	}
	i := c.rng.IntN(len(c.lists))
	busy := c.model.lists[i].current != nil
	switch n := c.rng.IntN(100); {
	case n < 30:
		c.add(i, false)
	case n < 38:
		c.forget(i, false)
	case n < 45:
		c.start(i)
	case n < 60 && busy:
		c.add(i, true)
	case n < 65 && busy:
		c.forget(i, true)
	case n < 98 && busy:
		c.finish(i, []string{"ok", "ok", "ok", "error", "panic", "goexit"}[c.rng.IntN(6)])
	case n == 98 && c.cut == nil && c.rng.IntN(2) == 0:
		c.beginShutdown()
	case n == 99 && c.cut != nil && !c.model.over:
		c.deadline()
	}
}

func (c *checker) note(format string, args ...any) {
	c.steps = append(c.steps, fmt.Sprintf(format, args...))
}

func (c *checker) open() {
	i := len(c.lists)
	c.note("open %d", i)
	c.model.open()
	ctx, list := c.runner.Open(context.Background(), bgtasks.Info{RequestID: fmt.Sprint(i)})
	c.lists = append(c.lists, &realList{ctx: ctx, list: list, commands: make(chan command)})
}

func (c *checker) name() string { return string(rune('a' + c.rng.IntN(4))) }

func (c *checker) add(i int, byTask bool) {
	name := c.name()
	var needs []string
	for range max(0, c.rng.IntN(5)-2) {
		needs = append(needs, c.name())
	}
	c.note("add %d %s needs %v, by a task: %v", i, name, needs, byTask)
	c.model.lists[i].add(byTask, name, needs)
	c.in(i, byTask, func(ctx context.Context) { c.lists[i].add(ctx, name, needs) })
}

func (c *checker) forget(i int, byTask bool) {
	name := c.name()
	c.note("forget %d %s, by a task: %v", i, name, byTask)
	want, got := c.model.lists[i].forget(name), 0
	c.in(i, byTask, func(ctx context.Context) { got = bgtasks.Forget(ctx, name) })
	synctest.Wait()
	require.Equal(c.t, want, got, "seed %d: %v", c.seed, c.steps)
}

// in has fn called with the context of the handler, or in the running task with its own.
func (c *checker) in(i int, byTask bool, fn func(context.Context)) {
	l := c.lists[i]
	if !byTask {
		fn(l.ctx)
		return
	}
	l.commands <- command{do: func(ctx context.Context) error { fn(ctx); return nil }}
}

func (c *checker) start(i int) {
	c.note("start %d", i)
	c.model.lists[i].start()
	c.lists[i].list.Start(sent)
}

func (c *checker) finish(i int, how string) {
	c.note("finish %d %s", i, how)
	c.model.lists[i].finish(how)
	ways := map[string]bgtasks.Func{"ok": nothing, "error": failing, "panic": panics, "goexit": exiting}
	c.lists[i].commands <- command{do: ways[how], last: true}
}

func (c *checker) beginShutdown() {
	c.note("shutdown")
	c.model.closing = true
	var ctx context.Context
	ctx, c.cut = context.WithCancel(context.Background())
	go func() { c.shutdown <- c.runner.Shutdown(ctx) }()
}

func (c *checker) deadline() {
	c.note("deadline")
	c.model.deadline()
	c.cut()
}

func (c *checker) compare() {
	synctest.Wait()
	require.EqualValues(c.t, c.model.pending, c.runner.Stats().Pending, "seed %d: %v", c.seed, c.steps)
	for i, l := range c.lists {
		want := c.model.lists[i]
		l.mu.Lock()
		trace := l.trace
		l.mu.Unlock()
		require.Equal(c.t, want.trace, trace, "seed %d, list %d: %v", c.seed, i, c.steps)
		require.Equal(c.t, len(want.queue), l.list.Len(), "seed %d, list %d: %v", c.seed, i, c.steps)
	}
}

// windUp lets everything end and compares for the last time.
func (c *checker) windUp() {
	for i, l := range c.model.lists {
		c.start(i)
		for synctest.Wait(); l.current != nil; synctest.Wait() {
			c.finish(i, "ok")
		}
	}
	settle(c.t, c.runner)
	c.compare()
	checkBalance(c.t, c.runner.Stats())
	if c.cut == nil {
		return
	}
	defer c.cut()
	left := int(c.runner.Stats().Unfinished)
	if err := <-c.shutdown; left > 0 {
		require.Len(c.t, unfinished(c.t, err), left, "seed %d", c.seed)
	} else {
		require.NoError(c.t, err, "seed %d", c.seed)
	}
}
