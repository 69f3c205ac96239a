package bgtasks_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A stopwatch observes when a task starts, and with which outcome.
type stopwatch struct {
	begin   time.Time
	mu      sync.Mutex
	started time.Duration // -1: not yet
	outcome bgtasks.Outcome
}

func newStopwatch() *stopwatch { return &stopwatch{begin: time.Now(), started: -1} }

func (w *stopwatch) look(e bgtasks.Event) {
	if e.Kind != bgtasks.Started {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started, w.outcome = time.Since(w.begin), e.Outcome
}

func (w *stopwatch) start() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started
}

func (w *stopwatch) saw() bgtasks.Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outcome
}

// held adds a task to a list of h and says when it starts.
func held(t *testing.T, cfg bgtasks.Config, h *host) (*bgtasks.Runner, *bgtasks.List, *stopwatch) {
	t.Helper()
	run, w := newRunner(cfg), newStopwatch()
	run.Observe(w.look)
	ctx, list := hosted(run, h)
	add(t, ctx, "task", nothing)
	return run, list, w
}

func TestAwaitedListStartsByItselfWhenItsResponseIsNotSent(t *testing.T) {
	for _, c := range []struct{ config, want time.Duration }{
		{0, time.Minute}, {5 * time.Second, 5 * time.Second}, {3 * time.Hour, 3 * time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			book, logger := newLogBook()
			run, list, w := held(t, bgtasks.Config{SendTimeout: c.config, Logger: logger}, &host{})
			<-time.After(time.Second)
			require.True(t, list.Await(bgtasks.Outcome{Status: 201, Bytes: 7}))
			settle(t, run)
			assert.Equal(t, c.want, w.start()-time.Second, "counted from the handler's return")
			assert.Equal(t, bgtasks.Outcome{Status: 201, Bytes: 7, Sent: false}, w.saw())
			lines := book.lines(t, slog.LevelInfo)
			require.Len(t, lines, 1)
			assert.Equal(t, "req-1", lines[0]["request_id"])
		})
	}
}

func TestListStartedInTimeIsNotStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newLogBook()
		run, list, w := held(t, bgtasks.Config{Logger: logger}, &host{})
		list.Await(bgtasks.Outcome{Status: 200})
		<-time.After(59 * time.Second)
		list.Start(sent)
		settle(t, run)
		<-time.After(time.Hour)
		assert.Equal(t, 59*time.Second, w.start())
		assert.Equal(t, sent, w.saw())
		assert.EqualValues(t, 1, run.Stats().Succeeded)
		assert.Empty(t, book.lines(t, slog.LevelInfo))
	})
}

func TestStartAfterAListHasStartedByItselfCountsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, list, w := held(t, bgtasks.Config{}, &host{})
		list.Await(bgtasks.Outcome{Status: 200})
		<-time.After(time.Hour)
		list.Start(sent)
		settle(t, run)
		assert.Equal(t, time.Minute, w.start())
		assert.False(t, w.saw().Sent)
		assert.EqualValues(t, 1, run.Stats().Succeeded)
	})
}

func TestNegativeSendTimeoutWaitsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, list, w := held(t, bgtasks.Config{SendTimeout: -1}, &host{})
		list.Await(bgtasks.Outcome{Status: 200})
		<-time.After(1000 * time.Hour)
		assert.Negative(t, w.start())
		list.Start(sent)
		settle(t, run)
		assert.True(t, w.saw().Sent)
	})
}

func TestManyHeldListsEachStartAtTheirOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		begin, started := time.Now(), map[uint64]time.Duration{}
		run.Observe(func(e bgtasks.Event) {
			if e.Kind == bgtasks.Started {
				started[e.Info.ID] = time.Since(e.Info.Added)
			}
		})
		for range 50 {
			ctx, list := open(run)
			add(t, ctx, "task", nothing)
			list.Await(bgtasks.Outcome{Status: 200})
			<-time.After(1700 * time.Millisecond)
		}
		settle(t, run)
		require.Len(t, started, 50)
		for _, waited := range started {
			assert.Equal(t, time.Minute, waited)
		}
		assert.Equal(t, 49*1700*time.Millisecond+time.Minute, time.Since(begin))
	})
}

func TestHandlerThatTakesItsTimeIsNotHurried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, list, w := held(t, bgtasks.Config{}, &host{})
		<-time.After(24 * time.Hour) // not inside a write
		assert.Negative(t, w.start())
		list.Start(sent)
		settle(t, run)
		assert.Equal(t, 24*time.Hour, w.start())
	})
}

func TestListOfAHandlerStuckInAWriteStartsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newLogBook()
		h := &host{known: bgtasks.Outcome{Status: 206, Bytes: 4096}}
		h.end = func() error { h.note("end"); return nil }
		run, list, w := held(t, bgtasks.Config{Logger: logger}, h)
		<-time.After(10 * time.Second)
		h.writing.Store(true)
		<-time.After(10 * time.Minute)
		stuck := w.start() - 10*time.Second
		assert.GreaterOrEqual(t, stuck, time.Minute)
		assert.LessOrEqual(t, stuck, 90*time.Second)
		assert.Equal(t, h.known, w.saw(), "as far as it is known")
		assert.Equal(t, []string{"capture", "detach, returned: false"}, h.all())
		assert.Len(t, book.lines(t, slog.LevelInfo), 1)

		h.writing.Store(false) // the client has gone: the handler returns after all
		assert.False(t, list.Await(bgtasks.Outcome{Status: 200}))
		list.Start(sent)
		settle(t, run)
		synctest.Wait()
		assert.Equal(t, []string{"capture", "detach, returned: false", "cleanup", "end"}, h.all())
		assert.EqualValues(t, 1, run.Stats().Succeeded)
	})
}

func TestHandlerThatReturnsWhileItsListRunsCleansUpAtTheListsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{}
		h.end = func() error { h.note("end"); return nil }
		h.writing.Store(true)
		run := newRunner(bgtasks.Config{})
		ctx, list := hosted(run, h)
		add(t, ctx, "long", func(context.Context) error {
			<-time.After(time.Hour)
			h.note("long has ended")
			return nil
		})
		<-time.After(5 * time.Minute)
		assert.NoError(t, bgtasks.Add(ctx, "of the handler", h.noting("of the handler", nothing)))
		assert.False(t, list.Await(bgtasks.Outcome{Status: 200}))
		require.ErrorIs(t, bgtasks.Add(ctx, "late", nothing), bgtasks.ErrClosed)
		settle(t, run)
		lines := h.all()
		assert.Equal(t, []string{"cleanup", "long has ended", "of the handler", "end"}, lines[len(lines)-4:])
	})
}

func TestWriteThatProgressesIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{}
		h.writing.Store(true)
		run, list, w := held(t, bgtasks.Config{}, h)
		for range 100 { // 50 minutes, a little every 30 seconds
			<-time.After(30 * time.Second)
			h.progress.Add(1)
		}
		assert.Negative(t, w.start())
		<-time.After(2 * time.Minute)
		stuck := w.start() - 50*time.Minute
		assert.GreaterOrEqual(t, stuck, time.Minute, "counted from the last progress")
		assert.LessOrEqual(t, stuck, 90*time.Second)
		list.Await(sent)
		settle(t, run)
	})
}

func TestShutdownHoldsAListForHalfOfItsTime(t *testing.T) {
	for name, stuck := range map[string]bool{"handler has returned": false, "handler is stuck in a write": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{}
				h.writing.Store(stuck)
				run, list, w := held(t, bgtasks.Config{SendTimeout: -1}, h)
				if !stuck {
					list.Await(bgtasks.Outcome{Status: 200})
				}
				require.NoError(t, shutdownWithin(run, 20*time.Second))
				assert.Equal(t, 10*time.Second, w.start())
				assert.False(t, w.saw().Sent)
			})
		})
	}
}

func TestShutdownHoldsAListNoLongerThanSendTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, list, w := held(t, bgtasks.Config{SendTimeout: 4 * time.Second}, &host{})
		list.Await(bgtasks.Outcome{Status: 200})
		require.NoError(t, shutdownWithin(run, time.Hour))
		assert.Equal(t, 4*time.Second, w.start())
	})
}

func TestListThatIsSentDuringAShutdownStartsThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, list, w := held(t, bgtasks.Config{}, &host{})
		list.Await(bgtasks.Outcome{Status: 200})
		time.AfterFunc(time.Second, func() { list.Start(sent) })
		require.NoError(t, shutdownWithin(run, time.Hour))
		assert.Equal(t, time.Second, w.start())
		assert.True(t, w.saw().Sent)
	})
}

func TestHandlerThatReturnsInTheSecondHalfOfAShutdownStillGetsItsTasksRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, list, w := held(t, bgtasks.Config{}, &host{})
		time.AfterFunc(7*time.Second, func() { list.Await(bgtasks.Outcome{Status: 200}) })
		require.NoError(t, shutdownWithin(run, 10*time.Second))
		assert.Equal(t, 7*time.Second, w.start())
	})
}
