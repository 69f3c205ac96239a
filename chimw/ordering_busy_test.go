package chimw_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
)

// TestHTTP2EarlyStartsOnABusyMachine measures what cannot be promised: how many tasks start
// before the end of their response when all processors are busy with other work.
func TestHTTP2EarlyStartsOnABusyMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("a figure, not a check")
	}
	busy := 2 * runtime.GOMAXPROCS(0)
	keepBusy(t, busy)
	for _, tc := range []struct{ streams, requests int }{{1, 20}, {20, 100}, {100, 300}} {
		tasks := earlyOverHTTP2(t, byBackgroundTasks, tc.streams, tc.requests)
		plain := earlyOverHTTP2(t, byPlainGo, tc.streams, tc.requests)
		t.Logf("%d busy goroutines on %d processors, %d streams at once: of %d tasks %d started early, of as many plain goroutines %d",
			busy, runtime.GOMAXPROCS(0), tc.streams, tc.requests, tasks, plain)
	}
}

func earlyOverHTTP2(t *testing.T, later later, streams, requests int) int {
	l := newLoad(t, servertest.HTTP2, later, 0, requests, requests+1)
	l.http2Connection(streams)
	return l.early()
}

// keepBusy has goroutines do useless work until the test ends.
func keepBusy(t *testing.T, goroutines int) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	t.Cleanup(func() {
		stop.Store(true)
		wg.Wait()
	})
	for range goroutines {
		wg.Go(func() {
			for !stop.Load() {
			}
		})
	}
}
