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

func TestProfileLabelsStayBesideOthers(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	run.Use(bgtasks.ProfileLabels)
	ctx, list := open(run)
	seen := map[string]string{}
	pprof.Do(ctx, pprof.Labels("tenant", "blue"), func(ctx context.Context) {
		add(t, ctx, "mail", func(ctx context.Context) error {
			pprof.Do(ctx, pprof.Labels("step", "render"), func(ctx context.Context) {
				pprof.ForLabels(ctx, func(key, value string) bool {
					seen[key] = value
					return true
				})
			})
			return nil
		})
	})
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, map[string]string{"tenant": "blue", "task": "mail", "route": "/orders/{id}", "step": "render"}, seen)
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
