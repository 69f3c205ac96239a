package chimw_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/stretchr/testify/assert"
)

func workPath(i int) string { return fmt.Sprintf("/jobs/%d", i) }

// heapInUse is what the program holds, without what pools keep for a while.
func heapInUse() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// keptByRuntime is what the Go runtime keeps for each goroutine of the busiest moment: some
// hundreds, of half a kilobyte. A list that stays for every hundredth request is more.
const keptByRuntime = 256 << 10

// waitForGoroutines looks from the test's own goroutine: require.Eventually would count its own.
func waitForGoroutines(t *testing.T, most int) {
	t.Helper()
	for deadline := time.Now().Add(hangLimit); runtime.NumGoroutine() > most; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("more than %d goroutines are left:\n%s", most, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// Everything that can happen to a task and to its client happens at once, and at the end each
// task has been accounted for, and nothing of it is left.
func TestNoTaskIsLostOrRunTwiceUnderLoad(t *testing.T) {
	const connections = 64
	requests := sized(100_000, 5_000)
	if raceEnabled {
		requests = sized(30_000, 2_000)
	}
	book := newLedger()
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler), MaxPending: 64})
	run.Observe(book.observe)
	work := &workload{}
	s := servertest.Start(t, servertest.HTTP1, work.router(run))
	idle := runtime.NumGoroutine()

	(&rudeLoad{addr: s.Addr, path: workPath}).run(connections, requests/5) // fills pools and maps
	awaitAccepted(t, s)
	waitForGoroutines(t, idle)
	awaitIdle(t, run)
	book.forgetLists()
	before := heapInUse()

	load := &rudeLoad{addr: s.Addr, path: workPath}
	load.run(connections, requests)
	awaitAccepted(t, s)
	waitForGoroutines(t, idle)
	awaitIdle(t, run)

	t.Logf("%d requests sent, %d read, %d served; %+v", load.sent.Load(), load.read.Load(), work.requests.Load(), run.Stats())
	book.assertBalanced(t)
	book.assertAgreesWith(t, run.Stats())
	work.assertAgreesWith(t, book)
	assert.Greater(t, load.read.Load(), int64(requests/2), "the load is no load")
	for _, kind := range []bgtasks.Kind{bgtasks.Refused, bgtasks.Retried, bgtasks.Skipped, bgtasks.Forgotten} {
		assert.Positive(t, book.count(kind), "no task was %s", kind)
	}

	book.forgetLists()
	after := heapInUse()
	t.Logf("heap %d kB before, %d kB after", before>>10, after>>10)
	assert.LessOrEqual(t, after, before+max(before/10, keptByRuntime), "the heap has grown")
	runtime.KeepAlive(run)
}

// assertAgreesWith checks that handlers and tasks have seen what the ledger says.
func (l *workload) assertAgreesWith(t *testing.T, book *ledger) {
	t.Helper()
	assert.Equal(t, l.accepted.Load(), book.count(bgtasks.Accepted))
	assert.Equal(t, l.refused.Load(), book.count(bgtasks.Refused))
	assert.Equal(t, l.ran.Load(), book.count(bgtasks.Started))
	assert.Zero(t, l.disorder.Load(), "tasks ran twice or out of order")
}
