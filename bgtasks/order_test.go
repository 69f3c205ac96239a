package bgtasks_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestTasksRunInTheOrderAdded(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 8, 9, 64, 500} {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		var want []string
		for i := range n {
			name := fmt.Sprint(i)
			want = append(want, name)
			add(t, ctx, name, j.noting(name, nothing))
		}
		list.Start(sent)
		drain(t, run)
		assert.Equal(t, want, j.all(), "%d tasks", n)
	}
}

func TestTasksOfOneListNeverOverlap(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	var running, overlaps atomic.Int32
	for range 200 {
		add(t, ctx, "one", func(context.Context) error {
			if running.Add(1) != 1 {
				overlaps.Add(1)
			}
			runtime.Gosched()
			running.Add(-1)
			return nil
		})
	}
	list.Start(sent)
	drain(t, run)
	assert.Zero(t, overlaps.Load())
	assert.EqualValues(t, 200, run.Stats().Succeeded)
}

func TestTaskAddedByATaskRunsLast(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "a", func(ctx context.Context) error {
		j.note("a")
		return bgtasks.Add(ctx, "c", func(ctx context.Context) error {
			j.note("c")
			return bgtasks.Add(ctx, "e", j.noting("e", nothing))
		})
	})
	add(t, ctx, "b", func(ctx context.Context) error {
		j.note("b")
		return bgtasks.Add(ctx, "d", j.noting("d", nothing))
	})
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"a", "b", "c", "d", "e"}, j.all())
}

func TestListsRunSideBySide(t *testing.T) {
	const lists = 10
	run := newRunner(bgtasks.Config{})
	var here atomic.Int32
	all := make(chan struct{})
	meet := func(context.Context) error {
		if here.Add(1) == lists {
			close(all)
		}
		<-all // no task gets past this before every list has one here
		return nil
	}
	for range lists {
		ctx, list := open(run)
		add(t, ctx, "meet", meet)
		list.Start(sent)
	}
	drain(t, run)
	assert.EqualValues(t, lists, run.Stats().Succeeded)
}

func TestListsStartInTheOrderOfStartNotOfAdd(t *testing.T) {
	run, j := newRunner(bgtasks.Config{MaxRunning: 1}), &journal{}
	ctx1, first := open(run)
	ctx2, second := open(run)
	add(t, ctx1, "first", j.noting("first", nothing))
	done := make(chan struct{})
	add(t, ctx2, "second", func(context.Context) error {
		j.note("second")
		close(done)
		return nil
	})
	second.Start(sent)
	await(t, done, "the second list")
	assert.Equal(t, []string{"second"}, j.all(), "a list that has not started holds nobody up")
	first.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"second", "first"}, j.all())
}

func TestTasksOfOneListShareMemoryWithoutLocks(t *testing.T) {
	// The race detector sees whether one task happens before the next.
	run, sum := newRunner(bgtasks.Config{}), 0
	ctx, list := open(run)
	for i := 1; i <= 100; i++ {
		add(t, ctx, "sum", bgtasks.Bind(func(_ context.Context, i int) error { sum += i; return nil }, i))
	}
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, 5050, sum)
}
