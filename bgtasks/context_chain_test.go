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
	return growthIn(t, newRunner(bgtasks.Config{}), derive, opts...)
}

func growthIn(t *testing.T, run *bgtasks.Runner, derive func(context.Context) context.Context, opts ...bgtasks.Option) int64 {
	t.Helper()
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

// giving is middleware that gives its task a context of a type that is as a program's may be.
func giving(derive func(context.Context) context.Context) bgtasks.Middleware {
	return func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error { return next(derive(ctx)) }
	}
}

// incomparable contexts make == panic.
type incomparable struct {
	context.Context
	_ []int
}

func TestMiddlewareThatGivesAContextDoesNotChainContextsEither(t *testing.T) {
	same := func(ctx context.Context) context.Context { return ctx }
	layer := func(ctx context.Context) context.Context { return context.WithValue(ctx, userKey{}, 1) }
	run := newRunner(bgtasks.Config{})
	run.Use(giving(layer), giving(layer))
	assert.Less(t, growthIn(t, run, same), int64(chainLimit))
	assert.Less(t, growthIn(t, run, same, bgtasks.Retry(2, every(0))), int64(chainLimit), "with an option")
}

func TestATaskAddedByATaskSeesWhatMiddlewareGaveIt(t *testing.T) {
	layer := func(ctx context.Context) context.Context { return context.WithValue(ctx, userKey{}, "given") }
	odd := func(ctx context.Context) context.Context { return incomparable{Context: layer(ctx)} }
	for name, derive := range map[string]func(context.Context) context.Context{"layer": layer, "incomparable": odd} {
		for where, opts := range map[string][]bgtasks.Option{"runner": nil, "task": {giving(derive)}} {
			run := newRunner(bgtasks.Config{})
			if opts == nil {
				run.Use(giving(derive))
			}
			ctx, list := open(run)
			var nested any
			add(t, ctx, "outer", func(ctx context.Context) error {
				return bgtasks.Add(ctx, "inner", func(ctx context.Context) error {
					nested = ctx.Value(userKey{})
					return nil
				})
			}, opts...)
			list.Start(sent)
			drain(t, run)
			assert.Equal(t, "given", nested, "%s, middleware of the %s", name, where)
		}
	}
}
