package bgtasks_test

import (
	"log/slog"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A watchedHost counts how often it is asked whether its handler writes. Past the limit it does
// not answer until it is let go, so that a runner which asks all the time lets fake time pass.
type watchedHost struct {
	host
	asked atomic.Int64
	limit int64
	let   chan struct{}
}

func (h *watchedHost) Writing() (uint64, bool) {
	if h.asked.Add(1) > h.limit {
		<-h.let
	}
	return h.host.Writing()
}

func TestTinySendTimeoutDoesNotKeepTheRunnerBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &watchedHost{limit: 1000, let: make(chan struct{})}
		run, list := newRunner(bgtasks.Config{SendTimeout: 1}), new(bgtasks.List)
		ctx := list.Init(run, t.Context(), h)
		add(t, ctx, "task", nothing)
		<-time.After(100 * time.Millisecond)
		assert.Positive(t, h.asked.Load())
		assert.LessOrEqual(t, h.asked.Load(), int64(200), "times in 100 ms")
		close(h.let)
		list.Start(sent)
		settle(t, run)
	})
}

func TestLongestPossibleSendTimeoutIsNotOverAtOnceAndYieldsToAShutdown(t *testing.T) {
	for name, stuck := range map[string]bool{"handler has returned": false, "handler is stuck in a write": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{}
				h.writing.Store(stuck)
				run, list, w := held(t, bgtasks.Config{SendTimeout: math.MaxInt64 - 1}, h)
				<-time.After(time.Second)
				if !stuck {
					list.Await(bgtasks.Outcome{Status: 200})
				}
				<-time.After(1000 * time.Hour)
				assert.Negative(t, w.start())
				shutdown := time.Since(w.begin)
				require.NoError(t, shutdownWithin(run, 20*time.Second))
				assert.Equal(t, shutdown+10*time.Second, w.start(), "half of the shutdown's time is less")
			})
		})
	}
}

// Of a request without tasks nothing was captured, so that nothing may be asked about it
// either.
func TestListThatOnlyCleansUpIsNotReportedAsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, logger := newLogBook()
		h := &host{}
		h.end = func() error { h.note("end"); return nil }
		run := newRunner(bgtasks.Config{Logger: logger})
		_, list := hosted(run, h)
		require.True(t, list.Await(bgtasks.Outcome{Status: 200}))
		settle(t, run)
		assert.Equal(t, []string{"cleanup", "detach, returned: true", "end"}, h.all())
		assert.Empty(t, book.lines(t, slog.LevelDebug))
		assert.Empty(t, h.given)
	})
}
