package bgtasks_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// spanKey stands for what tracing middleware puts into a task's context.
type spanKey struct{}

// A spanHandler writes what it finds under spanKey into each line.
type spanHandler struct{ slog.Handler }

func (h spanHandler) Handle(ctx context.Context, r slog.Record) error {
	if span, ok := ctx.Value(spanKey{}).(string); ok {
		r.AddAttrs(slog.String("span", span))
	}
	return h.Handler.Handle(ctx, r)
}

func newSpanBook() (*logBook, *slog.Logger) {
	book, logger := newLogBook()
	return book, slog.New(spanHandler{logger.Handler()})
}

// spanning gives each attempt a span of its own.
func spanning(next bgtasks.Func) bgtasks.Func {
	return func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		return next(context.WithValue(ctx, spanKey{}, info.Name+" "+string(rune('0'+info.Attempt))))
	}
}

// openSpan opens a list for a request that has a span.
func openSpan(run *bgtasks.Runner) (context.Context, *bgtasks.List) {
	return run.Open(context.WithValue(context.Background(), spanKey{}, "request"), bgtasks.Info{})
}

// spansOf returns the span of each line about a task.
func spansOf(t *testing.T, book *logBook, task string) []any {
	t.Helper()
	var spans []any
	for _, line := range book.lines(t, slog.LevelDebug) {
		if line["task"] == task {
			spans = append(spans, line["span"])
		}
	}
	return spans
}

func TestLinesAboutATaskAreLoggedWithTheContextThatItWasGiven(t *testing.T) {
	book, logger := newSpanBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	run.Use(spanning)
	ctx, list := openSpan(run)
	add(t, ctx, "good", nothing)
	add(t, ctx, "failed", failing)
	add(t, ctx, "panicked", panics)
	add(t, ctx, "exited", exiting)
	add(t, ctx, "retried", failing, bgtasks.Retry(3, every(0)))
	add(t, ctx, "misuse", func(context.Context) error { list.Report(errBroken); return nil })
	list.Start(sent)
	drain(t, run)
	for _, name := range []string{"good", "failed", "panicked", "exited"} {
		assert.Equal(t, []any{name + " 1"}, spansOf(t, book, name))
	}
	assert.Equal(t, []any{"retried 1", "retried 2", "retried 3"}, spansOf(t, book, "retried"), "each attempt's")
	assert.Equal(t, []any{"misuse 1", "misuse 1"}, spansOf(t, book, "misuse"), "during the task, and after it")
}

func TestATasksOwnMiddlewareIsTheInnermostForItsLines(t *testing.T) {
	book, logger := newSpanBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	run.Use(spanning)
	ctx, list := openSpan(run)
	own := bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error { return next(context.WithValue(ctx, spanKey{}, "own")) }
	})
	add(t, ctx, "task", failing, own)
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []any{"own"}, spansOf(t, book, "task"))
}

func TestLinesAboutATaskThatWasGivenNothingHaveTheRequestsContext(t *testing.T) {
	book, logger := newSpanBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	run.Use(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			if info, _ := bgtasks.InfoFrom(ctx); info.Name == "kept away" {
				return errBroken
			}
			return next(ctx)
		}
	})
	ctx, list := openSpan(run)
	add(t, ctx, "kept away", nothing)
	add(t, ctx, "unchanged", failing)
	add(t, ctx, "skipped", nothing, bgtasks.Needs("unchanged"))
	list.Start(sent)
	drain(t, run)
	for _, name := range []string{"kept away", "unchanged", "skipped"} {
		assert.Equal(t, []any{"request"}, spansOf(t, book, name), name)
	}
}

func TestALineAboutATaskThatOverstaysIsLoggedWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newSpanBook()
		run := newRunner(bgtasks.Config{Logger: logger, TaskTimeout: time.Second})
		run.Use(spanning)
		ctx, list := openSpan(run)
		add(t, ctx, "task", stubborn(time.Minute))
		list.Start(sent)
		settle(t, run)
		assert.Equal(t, []any{"task 1", "task 1"}, spansOf(t, book, "task"), "the warning, and the end")
	})
}

// Middleware may run a task in a goroutine of its own and give up waiting for it.
func TestAContextGivenLateDoesNotRace(t *testing.T) {
	book, logger := newSpanBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	late := make(chan struct{})
	left := make(chan error, 2)
	run.Use(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			go func() {
				<-late
				left <- next(context.WithValue(ctx, spanKey{}, "late"))
			}()
			return errBroken
		}
	})
	ctx, list := openSpan(run)
	add(t, ctx, "task", nothing, bgtasks.Retry(2, func(int, error) (time.Duration, bool) {
		close(late)
		return 0, true
	}))
	list.Start(sent)
	drain(t, run)
	require.NoError(t, await(t, left, "the first attempt"))
	require.NoError(t, await(t, left, "the second attempt"))
	assert.Len(t, spansOf(t, book, "task"), 2)
}

// A goroutine that the handler has left behind may write to the response at any time. The handler
// of that line may look at its context when the task sets its own.
func TestALineAboutALateWriteDoesNotRaceWithTheTask(t *testing.T) {
	book, logger := newSpanBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	begun := make(chan struct{})
	run.Observe(func(e bgtasks.Event) {
		if e.Kind == bgtasks.Started {
			close(begun)
		}
	})
	ctx, list := openSpan(run)
	reported := make(chan struct{})
	add(t, ctx, "task", func(context.Context) error { <-reported; return nil }, bgtasks.Timeout(time.Hour))
	go func() {
		<-begun
		list.Report(bgtasks.ErrResponseSent)
		close(reported)
	}()
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []any{"request", "request"}, spansOf(t, book, "task"), "that of the write, and the end")
}
