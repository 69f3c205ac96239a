package bgtasks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A ledger keeps account of every task: what was accepted, what ended and what ran.
type ledger struct {
	mu       sync.Mutex
	accepted map[taskKey]int
	ended    map[taskKey]int
	started  map[uint64][]int // positions, in order
	accepts  atomic.Int64     // by what Add returned
}

type taskKey struct {
	list     uint64
	position int
}

func newLedger(run *bgtasks.Runner) *ledger {
	l := &ledger{accepted: map[taskKey]int{}, ended: map[taskKey]int{}, started: map[uint64][]int{}}
	run.Observe(l.look)
	return l
}

func (l *ledger) look(e bgtasks.Event) {
	k := taskKey{e.Info.ID, e.Info.Position}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.Kind == bgtasks.Accepted:
		l.accepted[k]++
	case e.Kind == bgtasks.Started:
		l.started[k.list] = append(l.started[k.list], k.position)
	case isEnding(e.Kind):
		l.ended[k]++
	}
}

func (l *ledger) add(ctx context.Context, name string, fn bgtasks.Func, opts ...bgtasks.Option) {
	if bgtasks.Add(ctx, name, fn, opts...) == nil {
		l.accepts.Add(1)
	}
}

// check compares what Add has said with what observers and Stats were told.
func (l *ledger) check(t *testing.T, run *bgtasks.Runner) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.EqualValues(t, l.accepts.Load(), len(l.accepted))
	require.Equal(t, l.accepted, l.ended, "every accepted task ends, and no other")
	for k, n := range l.accepted {
		require.Equal(t, 1, n, "%+v", k)
	}
	for list, positions := range l.started {
		for i := 1; i < len(positions); i++ {
			require.Less(t, positions[i-1], positions[i], "order in list %d", list)
		}
	}
	s := run.Stats()
	assert.EqualValues(t, len(l.accepted), s.Accepted)
	assert.Zero(t, s.Pending)
	checkBalance(t, s)
}

// mixed adds a task of a random kind, some of which add further ones.
func (l *ledger) mixed(ctx context.Context, rng *rand.Rand) {
	name := fmt.Sprint("t", rng.IntN(4))
	switch rng.IntN(11) {
	case 0:
		l.add(ctx, name, failing)
	case 1:
		l.add(ctx, name, panics)
	case 2:
		l.add(ctx, name, exiting)
	case 3:
		l.add(ctx, name, obedient(time.Hour), bgtasks.Timeout(time.Millisecond))
	case 4:
		l.add(ctx, name, nothing, bgtasks.When(bgtasks.Outcome.Failed))
	case 5:
		l.add(ctx, name, nothing, bgtasks.Needs("t0"))
	case 6:
		l.add(ctx, name, failing, bgtasks.Retry(3, every(0)))
	case 7:
		bgtasks.Forget(ctx, name)
	case 8:
		seed := rng.Uint64()
		l.add(ctx, name, func(ctx context.Context) error {
			rng := rand.New(rand.NewPCG(seed, 1))
			l.mixed(ctx, rng)
			l.mixed(ctx, rng)
			return nil
		})
	default:
		l.add(ctx, name, nothing)
	}
}

// load runs lists of mixed tasks from many goroutines.
func (l *ledger) load(run *bgtasks.Runner, lists int, seed uint64) {
	const goroutines = 8
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(g)))
			for range lists / goroutines {
				ctx, list := open(run)
				for range rng.IntN(6) {
					l.mixed(ctx, rng)
				}
				if rng.IntN(2) == 0 {
					list.Await(sent)
				}
				list.Start(sent)
			}
		})
	}
	wg.Wait()
}

func many(t *testing.T, n int) int {
	t.Helper()
	if testing.Short() {
		return n / 5
	}
	return n
}

func TestEveryTaskIsAccountedFor(t *testing.T) {
	before := runtime.NumGoroutine()
	for name, cfg := range map[string]bgtasks.Config{
		"few places":    {MaxRunning: 3},
		"many places":   {},
		"little room":   {MaxPending: 50, MaxRunning: 8},
		"stop on error": {StopOnError: true},
	} {
		t.Run(name, func(t *testing.T) {
			run := newRunner(cfg)
			l := newLedger(run)
			l.load(run, many(t, 2000), 42)
			drain(t, run)
			l.check(t, run)
			s := run.Stats()
			assert.Positive(t, s.Succeeded*s.Failed*s.Panicked*s.Skipped*s.Forgotten, "%+v", s)
			assert.Equal(t, cfg.MaxPending > 0, s.Refused > 0)
		})
	}
	checkGoroutines(t, before)
}

// checkGoroutines waits until there are no more goroutines than before. It does so
// itself, as require.Eventually would start one more for each look.
func checkGoroutines(t *testing.T, before int) {
	t.Helper()
	deadline := time.After(patience)
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			stacks := make([]byte, 1<<16)
			require.FailNow(t, "goroutines are left", "%s", stacks[:runtime.Stack(stacks, true)])
		case <-time.After(time.Millisecond):
		}
	}
}

func TestEveryTaskIsAccountedForByAShutdownInTheMiddle(t *testing.T) {
	for round := range many(t, 20) {
		run := newRunner(bgtasks.Config{MaxRunning: 4})
		l := newLedger(run)
		var wg sync.WaitGroup
		wg.Go(func() { l.load(run, 200, uint64(round)) })
		err := shutdownWithin(run, time.Duration(round)*time.Millisecond)
		wg.Wait()
		drain(t, run)
		l.check(t, run)
		named := map[taskKey]bool{}
		if err != nil {
			for _, info := range err.(*bgtasks.ShutdownError).Unfinished {
				k := taskKey{info.ID, info.Position}
				assert.False(t, named[k], "named twice: %+v", info)
				named[k] = true
			}
		}
		assert.EqualValues(t, len(named), run.Stats().Unfinished)
	}
}
