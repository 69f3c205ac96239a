package bgtasks_test

import (
	"bytes"
	"context"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// goroutineProfile is the profile as text, which tells the labels of each group of goroutines.
func goroutineProfile(t *testing.T) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&text, 1))
	return text.String()
}

func TestProfileLabelsNameTheTaskInProfiles(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxRunning: 1})
	run.Use(bgtasks.ProfileLabels)
	ctx, list := open(run)
	running, looked := make(chan struct{}), make(chan struct{})
	wait := func(context.Context) error {
		running <- struct{}{}
		<-looked
		return nil
	}
	add(t, ctx, "labelled mail", wait)
	add(t, ctx, "labelled child", func(context.Context) error {
		done := make(chan error)
		go func() { done <- wait(nil) }()
		return <-done
	})
	list.Start(sent)
	await(t, running, "the task")
	assert.Contains(t, goroutineProfile(t), `# labels: {"route":"/orders/{id}", "task":"labelled mail"}`)
	looked <- struct{}{}
	await(t, running, "the task's goroutine")
	profile := goroutineProfile(t)
	assert.Contains(t, profile, `"task":"labelled child"`)
	assert.NotContains(t, profile, "labelled mail", "it has ended")
	looked <- struct{}{}
	drain(t, run)
}

func TestProfileLabelsEndWithTheTask(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxRunning: 1})
	ctx, list := open(run)
	running, looked := make(chan struct{}), make(chan struct{})
	add(t, ctx, "labelled only here", nothing, bgtasks.Middleware(bgtasks.ProfileLabels))
	add(t, ctx, "next", func(context.Context) error {
		running <- struct{}{}
		<-looked
		return nil
	})
	list.Start(sent)
	await(t, running, "the second task")
	assert.NotContains(t, goroutineProfile(t), "labelled only here")
	close(looked)
	drain(t, run)
}

// A labelled context for each would be one more link in the chain of contexts.
func TestProfileLabelsDoNotChainContextsUp(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	run.Use(bgtasks.ProfileLabels)
	ctx, list := open(run)
	var seen []context.Context
	var again func(n int) bgtasks.Func
	again = func(n int) bgtasks.Func {
		return func(ctx context.Context) error {
			seen = append(seen, ctx)
			if n == 0 {
				return nil
			}
			return bgtasks.Add(ctx, "again", again(n-1))
		}
	}
	add(t, ctx, "again", again(3))
	list.Start(sent)
	drain(t, run)
	require.Len(t, seen, 4)
	for _, ctx := range seen {
		assert.Equal(t, "bgtasks.taskContext", ctx.(interface{ String() string }).String())
	}
}

func TestProfileLabelsPassOnTheError(t *testing.T) {
	assert.ErrorIs(t, bgtasks.ProfileLabels(failing)(context.Background()), errBroken)
}

func BenchmarkProfileLabels(b *testing.B) {
	for name, mws := range map[string][]bgtasks.Middleware{"off": nil, "on": {bgtasks.ProfileLabels}} {
		b.Run(name, func(b *testing.B) {
			run := newRunner(bgtasks.Config{})
			run.Use(mws...)
			b.ReportAllocs()
			for b.Loop() {
				ctx, list := open(run)
				add(b, ctx, "mail", nothing)
				list.Start(sent)
				if err := run.Wait(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
