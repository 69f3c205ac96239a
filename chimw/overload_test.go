package chimw_test

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	overloadPending = 40
	overloadRunning = 4
	overloadTimes   = 10 // what the limits allow
)

// An overload is a site at its limits: its tasks end when they are told to.
type overload struct {
	*bhSite
	server *servertest.Server
	end    chan struct{} // takes one for each task that is to end
	ended  atomic.Int64
}

func newOverload(t *testing.T, p servertest.Protocol) *overload {
	o := &overload{end: make(chan struct{})}
	o.bhSite = bhNewSite(bgtasks.Config{MaxPending: overloadPending, MaxRunning: overloadRunning})
	o.Get("/", func(w http.ResponseWriter, r *http.Request) {
		err := bgtasks.Add(r.Context(), "work", func(context.Context) error {
			<-o.end
			o.ended.Add(1)
			return nil
		})
		if err != nil {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		render.PlainText(w, r, "ok")
	})
	o.server = servertest.Start(t, p, o)
	return o
}

// get returns the status of n requests, of several at a time.
func (o *overload) get(t *testing.T, n int) (ok, busy int64) {
	var oks, busies atomic.Int64
	spread(20, n, func(int) {
		switch res, _ := bhGet(t, o.server, "/"); res.StatusCode {
		case http.StatusOK:
			oks.Add(1)
		case http.StatusServiceUnavailable:
			busies.Add(1)
		}
	})
	return oks.Load(), busies.Load()
}

// Whoever comes when the limits are reached is answered 503, at once; as soon as a task ends
// there is room for one.
func TestTenTimesTheLoadThatTheLimitsAllow(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			o := newOverload(t, p)
			release := sync.OnceFunc(func() { close(o.end) })
			t.Cleanup(release)
			ok, busy := o.get(t, overloadTimes*overloadPending)
			assert.EqualValues(t, overloadPending, ok)
			assert.EqualValues(t, (overloadTimes-1)*overloadPending, busy)
			require.Eventually(t, func() bool {
				s := o.run.Stats()
				return s.Running == overloadRunning && s.Waiting == overloadPending-overloadRunning
			}, bhPatience, time.Millisecond, "%+v", o.run.Stats())

			for i := range int64(3) {
				o.end <- struct{}{}
				require.Eventually(t, func() bool { // both, as a task that has been counted holds its place for a moment yet
					s := o.run.Stats()
					return s.Succeeded == i+1 && s.Pending == overloadPending-1
				}, bhPatience, time.Millisecond)
				ok, busy = o.get(t, 10)
				assert.Equal(t, []int64{1, 9}, []int64{ok, busy}, "there is room for one")
			}
			release()
			bhWait(t, o.run)
			ok, busy = o.get(t, 1)
			assert.Equal(t, []int64{1, 0}, []int64{ok, busy})
			bhWait(t, o.run)
			assert.EqualValues(t, overloadPending+3+1, o.ended.Load())
			assert.NotEmpty(t, o.log.with(slog.LevelError, "task refused"))
			assert.Less(t, len(o.log.with(slog.LevelError, "task refused")), 60, "one a second")
		})
	}
}

// Being at the limits costs those that are refused neither time nor memory: much more would
// show than these bounds allow for other load on the machine.
func TestAnswersAtTheLimitsCostNoMoreThanOthers(t *testing.T) {
	const n = 1000
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			idle, full := newOverload(t, p), newOverload(t, p)
			close(idle.end)
			t.Cleanup(func() { close(full.end) })
			full.get(t, overloadPending)
			before := bhLiveHeap()
			var atIdle, atFull time.Duration
			for range 5 { // by turns, so that other load meets both
				atIdle += took(func() { idle.get(t, n/5) })
				atFull += took(func() { full.get(t, n/5) })
			}
			assert.EqualValues(t, n, full.run.Stats().Refused)
			assert.Less(t, atFull, 10*atIdle+time.Second)
			assert.Less(t, bhLiveHeap()-before, int64(8<<20))
		})
	}
}

func took(f func()) time.Duration {
	begun := time.Now()
	f()
	return time.Since(begun)
}

func bhLiveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
