package bgtasks_test

import (
	"context"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A rudeLog does something else than to log.
type rudeLog struct {
	slog.Handler
	enabled, handle func()
}

func (l rudeLog) Enabled(context.Context, slog.Level) bool {
	l.enabled()
	return true
}

func (l rudeLog) Handle(context.Context, slog.Record) error {
	l.handle()
	return nil
}

// addOneOfEach adds tasks that fail, are tried again, are skipped, and succeed.
func addOneOfEach(t *testing.T, ctx context.Context, j *journal) {
	t.Helper()
	add(t, ctx, "bad", failing)
	add(t, ctx, "retried", failing, bgtasks.Retry(2, every(0)))
	add(t, ctx, "skipped", nothing, bgtasks.When(bgtasks.Outcome.Failed))
	add(t, ctx, "unmet", nothing, bgtasks.Needs("bad"))
	add(t, ctx, "last", j.noting("last", nothing))
}

func TestLogHandlerThatMisbehavesDoesNotStopTheTasks(t *testing.T) {
	well, boom, exit := func() {}, func() { panic("the log is broken") }, func() { runtime.Goexit() }
	for name, handler := range map[string]rudeLog{
		"panic in Enabled":  {enabled: boom, handle: well},
		"Goexit in Enabled": {enabled: exit, handle: well},
		"panic in Handle":   {enabled: well, handle: boom},
		"Goexit in Handle":  {enabled: well, handle: exit},
	} {
		t.Run(name, func(t *testing.T) {
			run, j := newRunner(bgtasks.Config{Logger: slog.New(handler), MaxRunning: 1}), &journal{}
			events := observe(run)
			for range 3 {
				ctx, list := open(run)
				addOneOfEach(t, ctx, j)
				list.Start(sent)
			}
			drain(t, run)
			assert.Equal(t, []string{"last", "last", "last"}, j.all())
			checkEndings(t, events.all())
		})
	}
}

// The kinds that are told in the caller's goroutine are left out: it is the caller's to end.
func TestObserverThatCallsGoexitDoesNotStopTheTasks(t *testing.T) {
	for _, kind := range []bgtasks.Kind{bgtasks.Started, bgtasks.Retried, bgtasks.Skipped, bgtasks.Finished} {
		t.Run(kind.String(), func(t *testing.T) {
			run, j := newRunner(bgtasks.Config{MaxRunning: 1}), &journal{}
			events := observe(run)
			run.Observe(func(e bgtasks.Event) {
				if e.Kind == kind && e.Info.Name != "last" {
					runtime.Goexit()
				}
			})
			for range 3 {
				ctx, list := open(run)
				addOneOfEach(t, ctx, j)
				list.Start(sent)
			}
			drain(t, run)
			assert.Equal(t, []string{"last", "last", "last"}, j.all())
			checkEndings(t, events.all())
		})
	}
}

// A bubble would end with a panic if the lists were waited for in vain.
func TestLogHandlerThatCallsGoexitDoesNotHoldLateLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := rudeLog{enabled: func() {}, handle: func() { runtime.Goexit() }}
		run, j := newRunner(bgtasks.Config{Logger: slog.New(handler)}), &journal{}
		for range 3 {
			ctx, list := open(run)
			add(t, ctx, "task", j.noting("task", nothing))
			list.Await(sent)
		}
		<-time.After(time.Hour)
		assert.Equal(t, []string{"task", "task", "task"}, j.all())
	})
}
