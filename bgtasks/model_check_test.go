package bgtasks_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A checker does the same operations to the real thing and to the model, in a bubble of
// fake time, and compares them after each.
type checker struct {
	t      *testing.T
	label  string // which run this is
	steps  []string
	serial int // makes durations different from each other, see unique

	model     *model
	runner    *bgtasks.Runner
	lists     []*realList
	shutdowns []*realShutdown
	quit      chan struct{} // closed when the checker is done, with success or not
}

// A realList is driven from outside: its running task does what it is sent.
type realList struct {
	*bgtasks.List
	c        *checker
	index    int
	cleanup  bool
	ctx      context.Context // the handler's
	commands chan command

	mu    sync.Mutex
	task  context.Context // of the latest attempt
	told  int             // how often its start has been told to those who wait for it
	trace []string
}

// A command is done by the running task, in it; the last one ends it.
type command struct {
	do   func(ctx context.Context) error
	last bool
}

type realShutdown struct {
	cancel context.CancelFunc
	result chan error
	seen   bool
}

const modelNoLimit = 1 << 30

func newChecker(t *testing.T, label string, cfg bgtasks.Config) *checker {
	c := &checker{t: t, label: label, quit: make(chan struct{})}
	c.runner = newRunner(cfg)
	c.runner.Observe(c.look)
	for _, limit := range []*int{&cfg.MaxPending, &cfg.MaxRunning} {
		if *limit < 0 {
			*limit = modelNoLimit
		}
	}
	c.model = &model{cfg: cfg, sendBy: never}
	return c
}

// abandon lets everything go that the checker has started.
func (c *checker) abandon() {
	close(c.quit)
	for _, s := range c.shutdowns {
		s.cancel()
	}
}

// look writes an event into the trace of the list that it belongs to.
func (c *checker) look(e bgtasks.Event) {
	i, err := strconv.Atoi(e.Info.RequestID)
	if e.Kind == bgtasks.Refused || err != nil {
		return // written by add, as the event of a closed list doesn't say whose it is
	}
	line := fmt.Sprintf("%s %s#%d/%d", describe(e), e.Info.Name, e.Info.Position, e.Info.Attempt)
	switch e.Kind {
	case bgtasks.Started:
		line += fmt.Sprintf(" waited %v", e.Wait)
	case bgtasks.Retried:
		line += fmt.Sprintf(" pause %v took %v", e.Wait, e.Elapsed)
	case bgtasks.Finished:
		line += fmt.Sprintf(" waited %v took %v", e.Wait, e.Elapsed)
	}
	c.lists[i].write(line)
}

// describe is the event's kind and, for a task that has run, how it ended.
func describe(e bgtasks.Event) string {
	var p *bgtasks.PanicError
	switch {
	case e.Kind != bgtasks.Finished:
		return e.Kind.String()
	case e.Err == nil:
		return "finished ok"
	case errors.As(e.Err, &p):
		return "finished panic"
	case errors.Is(e.Err, bgtasks.ErrGoexit):
		return "finished goexit"
	case errors.Is(e.Err, bgtasks.ErrTimeout):
		return "finished timeout"
	}
	return "finished error"
}

func (l *realList) write(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trace = append(l.trace, line)
}

// A realList is its own bgtasks.Host.
func (l *realList) Capture(ctx context.Context) context.Context { return ctx }
func (l *realList) About(context.Context) bgtasks.Info {
	return bgtasks.Info{RequestID: strconv.Itoa(l.index)}
}
func (l *realList) Writing() (uint64, bool)     { return 0, false }
func (l *realList) Detach(bool) bgtasks.Outcome { return bgtasks.Outcome{} }
func (l *realList) Cleanup() func() error {
	if !l.cleanup {
		return nil
	}
	return func() error { l.write("cleanup"); return nil }
}

// watch is AfterResponse.
func (l *realList) watch(ctx context.Context) bool {
	_, ok := bgtasks.AfterResponse(ctx, func(bgtasks.Outcome) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told++
	})
	return ok
}

func (l *realList) add(ctx context.Context, bad bool, t modelTask) {
	name := t.name
	if bad {
		name = ""
	}
	if err := bgtasks.Add(ctx, name, l.body(t), t.options()...); err != nil {
		l.write(fmt.Sprintf("refused %s: %s", t.name, reason(err)))
	}
}

func reason(err error) string {
	switch {
	case errors.Is(err, bgtasks.ErrClosed):
		return "closed"
	case errors.Is(err, bgtasks.ErrFull):
		return "full"
	case errors.Is(err, bgtasks.ErrShutdown):
		return "shutdown"
	}
	return "bad"
}

// body does what the list is sent, and returns when its context ends if it is obedient.
func (l *realList) body(t modelTask) bgtasks.Func {
	return func(ctx context.Context) error {
		l.mu.Lock()
		l.task = ctx
		l.mu.Unlock()
		var done <-chan struct{}
		if t.obedient {
			done = ctx.Done()
		}
		for {
			select {
			case c := <-l.commands:
				if err := c.do(ctx); c.last {
					return err
				}
			case <-done:
				return ctx.Err()
			case <-l.c.quit:
				return nil
			}
		}
	}
}

func (t modelTask) options() (opts []bgtasks.Option) {
	if len(t.needs) > 0 {
		opts = append(opts, bgtasks.Needs(t.needs...))
	}
	switch t.when {
	case "ok":
		opts = append(opts, bgtasks.When(bgtasks.Outcome.OK))
	case "failed":
		opts = append(opts, bgtasks.When(bgtasks.Outcome.Failed))
	case "panics":
		opts = append(opts, bgtasks.When(func(bgtasks.Outcome) bool { panic("kaboom") }))
	}
	if t.timeout > 0 {
		opts = append(opts, bgtasks.Timeout(t.timeout))
	}
	if t.attempts > 0 {
		opts = append(opts, bgtasks.Retry(t.attempts, t.waits))
	}
	return opts
}

// waits is the wait function of Retry.
func (t modelTask) waits(int, error) (time.Duration, bool) {
	if t.wait == "panics" {
		panic("kaboom")
	}
	return t.pause, t.wait == "pauses"
}

// command has the running task do something.
func (c *checker) command(i int, cmd command) {
	synctest.Wait()
	select {
	case c.lists[i].commands <- cmd:
	default:
		c.fail("no task of list %d takes commands", i)
	}
	synctest.Wait()
}

func (c *checker) fail(format string, args ...any) {
	c.t.Helper()
	require.FailNow(c.t, fmt.Sprintf(format, args...), "%s: %v", c.label, c.steps)
}

// compare lets all that is due happen on both sides.
func (c *checker) compare() {
	synctest.Wait()
	c.model.pass(0)
	for i, l := range c.lists {
		want := c.model.lists[i]
		l.mu.Lock()
		trace, told := l.trace, l.told
		l.mu.Unlock()
		require.Equal(c.t, want.trace, trace, "%s, list %d: %v", c.label, i, c.steps)
		require.Equal(c.t, want.told, told, "%s, list %d: %v", c.label, i, c.steps)
		require.Equal(c.t, len(want.queue), l.Len(), "%s, list %d: %v", c.label, i, c.steps)
	}
	require.Equal(c.t, c.model.stats, c.runner.Stats(), "%s: %v", c.label, c.steps)
	checkBalance(c.t, c.runner.Stats())
	require.Equal(c.t, c.model.snapshot(), counted(c.runner.Snapshot(0)), "%s: %v", c.label, c.steps)
	c.compareWait()
	for i, s := range c.shutdowns {
		c.compareShutdown(i, s)
	}
}

// compareWait asks whether there is anything to wait for, by not waiting at all.
func (c *checker) compareWait() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.runner.Wait(ctx); c.model.gone(c.model.entries) != (err == nil) {
		c.fail("Wait: %v", err)
	}
}

func (c *checker) compareShutdown(i int, s *realShutdown) {
	want := c.model.shutdowns[i]
	select {
	case err := <-s.result:
		if s.seen = true; !want.returned {
			c.fail("shutdown %d has returned: %v", i, err)
		}
		if want.unfinished == 0 {
			require.NoError(c.t, err, "%s: %v", c.label, c.steps)
		} else {
			require.Len(c.t, unfinished(c.t, err), int(want.unfinished), "%s: %v", c.label, c.steps)
		}
	default:
		if want.returned && !s.seen {
			c.fail("shutdown %d has not returned", i)
		}
	}
}
