package bgtasks_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// heapInUse is what is reachable, in bytes.
func heapInUse() int64 {
	for range 3 { // pools give up their contents in the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

const (
	chainRounds = 20_000
	chainLimit  = 500_000 // bytes; a context per round needs at least 48 each
)

// growth returns by how much the heap has grown while a task added its successor
// again and again, with the context that derive makes of its own.
func growth(t *testing.T, derive func(context.Context) context.Context, opts ...bgtasks.Option) int64 {
	t.Helper()
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	var before, after int64
	round := 0
	var task bgtasks.Func
	task = func(ctx context.Context) error {
		switch round++; round {
		case 100:
			before = heapInUse()
		case chainRounds:
			after = heapInUse()
			return nil
		}
		return bgtasks.Add(derive(ctx), "again", task, opts...)
	}
	add(t, ctx, "again", task)
	list.Start(sent)
	drain(t, run)
	require.Equal(t, chainRounds, round)
	return after - before
}

func TestTaskThatAddsItsSuccessorForEverDoesNotChainContexts(t *testing.T) {
	same := func(ctx context.Context) context.Context { return ctx }
	layer := func(ctx context.Context) context.Context { return context.WithValue(ctx, userKey{}, 1) }
	require.Greater(t, growth(t, layer), int64(chainLimit), "control: one layer a round")

	assert.Less(t, growth(t, same), int64(chainLimit))
	assert.Less(t, growth(t, same, bgtasks.Timeout(time.Hour)), int64(chainLimit), "with a timeout")
	assert.Less(t, growth(t, same, bgtasks.Needs("again")), int64(chainLimit), "with Needs")
}
