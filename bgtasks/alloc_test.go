//go:build !race

// The race detector allocates as well: these run without it.

package bgtasks_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// allocationsOf counts those of a list with that many tasks, run to its end.
func allocationsOf(t *testing.T, tasks int, opts ...bgtasks.Option) float64 {
	t.Helper()
	run := newRunner(bgtasks.Config{})
	ctx := context.Background()
	done := make(chan struct{})
	last := func(context.Context) error { done <- struct{}{}; return nil }
	return testing.AllocsPerRun(2000, func() {
		ctx, list := run.Open(ctx, bgtasks.Info{})
		for i := range tasks {
			fn := nothing
			if i == tasks-1 {
				fn = last
			}
			if bgtasks.Add(ctx, "task", fn, opts...) != nil {
				t.Error("refused")
			}
		}
		list.Start(sent)
		if tasks > 0 {
			<-done
		}
	})
}

func TestAllocationsOfAList(t *testing.T) {
	for tasks, most := range map[int]float64{0: 2, 1: 4, 4: 8} {
		assert.LessOrEqual(t, allocationsOf(t, tasks), most, "%d tasks", tasks)
	}
}

func TestPendingListIsSmall(t *testing.T) {
	const lists = 10_000
	run := newRunner(bgtasks.Config{})
	keep := make([]*bgtasks.List, 0, lists)
	before := heapInUse()
	for range lists {
		ctx, list := run.Open(context.Background(), bgtasks.Info{})
		add(t, ctx, "task", nothing)
		keep = append(keep, list)
	}
	perList := (heapInUse() - before) / lists
	assert.LessOrEqual(t, perList, int64(512), "bytes")
	for _, list := range keep {
		list.Start(sent)
	}
	drain(t, run)
}
