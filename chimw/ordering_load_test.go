package chimw_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
)

// slowly is how long each write takes on a slow socket.
const slowly = 5 * time.Millisecond

// A load is a number of requests to one server, each with one task. The server's side
// of the sockets says how many bytes had been handed to the operating system when a task
// started, the client how many there are up to the end of that task's response. No clock
// is involved in comparing the two.
type load struct {
	t        *testing.T
	protocol servertest.Protocol
	wire     *servertest.Wire
	server   *servertest.Server
	runner   *bgtasks.Runner
	plain    sync.WaitGroup // the tasks that are plain goroutines
	later    later
	large    int // every so many responses one is of 1,000,000 bytes

	exchanges []exchange
}

// An exchange is a request, its response and its task.
type exchange struct {
	socket   *servertest.Socket
	returned time.Time // the handler, or a moment before
	sent     int64     // bytes at the task's start
	started  time.Time // the task, or a moment after
	tasks    atomic.Int32
	end      int64 // of the response, in the bytes that the server has sent
}

// later is a way of having a task run after the response to r. The function that it
// returns is called when the handler returns.
type later func(l *load, r *http.Request, task func()) (returning func())

// byBackgroundTasks is what is tested.
func byBackgroundTasks(l *load, r *http.Request, task func()) func() {
	err := bgtasks.Add(r.Context(), "look", func(context.Context) error {
		task()
		return nil
	})
	assert.NoError(l.t, err)
	return func() {}
}

// byPlainGo is the control: what people write without this library.
func byPlainGo(l *load, _ *http.Request, task func()) func() {
	l.plain.Add(1)
	return func() {
		go func() {
			defer l.plain.Done()
			task()
		}()
	}
}

func newLoad(t *testing.T, p servertest.Protocol, later later, delay time.Duration, requests, large int) *load {
	l := &load{
		t:         t,
		protocol:  p,
		wire:      servertest.NewWire(p, delay),
		runner:    bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)}),
		later:     later,
		large:     large,
		exchanges: make([]exchange, requests),
	}
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(l.runner))
	r.Get("/{number}", l.answer)
	l.server = servertest.Start(t, p, r, servertest.WrapConn(l.wire.Wrap))
	return l
}

func (l *load) answer(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(chi.URLParam(r, "number"))
	assert.NoError(l.t, err)
	x := &l.exchanges[n]
	x.socket = l.wire.Socket(r.RemoteAddr)
	returning := l.later(l, r, x.look)
	defer func() {
		x.returned = time.Now()
		returning()
	}()

	size, flushed := l.shape(n)
	if size == 0 && !flushed {
		render.NoContent(w, r)
		return
	}
	render.PlainText(w, r, strings.Repeat("x", size))
	if flushed {
		assert.NoError(l.t, http.NewResponseController(w).Flush())
	}
}

// shape is what the n-th response is like.
func (l *load) shape(n int) (size int, flushed bool) {
	flushed = n/3%2 == 1
	if n%l.large == l.large-1 {
		return 1_000_000, flushed
	}
	return []int{0, 200, 5_000}[n%3], flushed
}

// look is the task. What has been sent is read first: had it not been enough, then the
// task started too early however long the rest takes.
func (x *exchange) look() {
	x.sent = x.socket.Sent()
	x.started = time.Now()
	x.tasks.Add(1)
}

// ended is told by the client: the n-th response has body bytes, and ends there in the
// bytes from the server.
func (l *load) ended(n int, body, end int64) error {
	l.exchanges[n].end = end
	if size, _ := l.shape(n); body != int64(size) {
		return fmt.Errorf("response %d: %d bytes instead of %d", n, body, size)
	}
	return nil
}

// finish waits for the tasks and checks that each has run once.
func (l *load) finish() {
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	require.NoError(l.t, l.runner.Wait(ctx))
	l.plain.Wait()
	for n := range l.exchanges {
		require.EqualValues(l.t, 1, l.exchanges[n].tasks.Load(), "runs of the task of request %d", n)
	}
}

// isEarly reports whether the task started before the end of its response had been
// handed to the operating system.
func (x *exchange) isEarly() bool { return x.sent < x.end }

// early is how many tasks started before the end of their response.
func (l *load) early() (n int) {
	for i := range l.exchanges {
		if l.exchanges[i].isEarly() {
			n++
		}
	}
	return n
}

// fewer is n, or a fraction of it in short mode.
func fewer(n int) int {
	if testing.Short() {
		return n / 8
	}
	return n
}
