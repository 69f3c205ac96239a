package compat_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const streamsAtOnce = 20

// A run is a number of requests over one h2c connection, each with one task that looks how
// much of the server's bytes the operating system has been given.
type run struct {
	t       *testing.T
	wire    *servertest.Wire
	server  *servertest.Server
	runner  *bgtasks.Runner
	plain   *sync.WaitGroup // for the control: the tasks are goroutines
	answers []answer
}

type answer struct {
	socket   *servertest.Socket
	returned time.Time // the handler, or a moment before
	started  time.Time // the task, or a moment after
	sent     int64     // bytes at the task's start
	end      int64     // of the response, in the bytes from the server
	outcome  bgtasks.Outcome
	tasks    atomic.Int32
}

func newRun(t *testing.T, requests int, delay time.Duration, opts ...servertest.Option) *run {
	r := &run{
		t:       t,
		wire:    servertest.NewWire(servertest.HTTP1, delay),
		runner:  bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)}),
		answers: make([]answer, requests),
	}
	router := chi.NewRouter()
	router.Use(chimw.BackgroundTasks(r.runner))
	router.Get("/{number}", r.answer)
	opts = append(opts, servertest.WrapConn(r.wire.Wrap))
	r.server = servertest.Start(t, servertest.HTTP1, withH2C(router), opts...)
	return r
}

func (r *run) answer(w http.ResponseWriter, req *http.Request) {
	n, err := strconv.Atoi(chi.URLParam(req, "number"))
	assert.NoError(r.t, err)
	a := &r.answers[n]
	a.socket = r.wire.Socket(req.RemoteAddr)
	if r.plain == nil {
		assert.NoError(r.t, bgtasks.Add(req.Context(), "look", a.look))
	} else {
		r.plain.Add(1)
		defer func() {
			go func() {
				defer r.plain.Done()
				_ = a.look(context.WithoutCancel(req.Context()))
			}()
		}()
	}
	defer func() { a.returned = time.Now() }()
	render.PlainText(w, req, strings.Repeat("x", []int{0, 200, 5000}[n%3]))
}

// look reads first what has been sent.
func (a *answer) look(ctx context.Context) error {
	a.sent = a.socket.Sent()
	a.started = time.Now()
	a.outcome, _ = bgtasks.OutcomeFrom(ctx)
	a.tasks.Add(1)
	return nil
}

// requests keeps so many streams open, from that stream and that answer on, and waits
// for the tasks while the connection is open: its end would be a signal of its own.
func (r *run) requests(c *client, stream uint32, first int) {
	ask := func(n int) {
		c.request(stream+2*uint32(n-first), shapes.Shape{Path: "/" + strconv.Itoa(n)}, "http", "a.test")
	}
	next := first
	for ; next < min(first+streamsAtOnce, len(r.answers)); next++ {
		ask(next)
	}
	for ended := len(c.ends); len(c.ends) < len(r.answers); ended = len(c.ends) {
		c.readUntil(func() bool { return len(c.ends) > ended })
		if next < len(r.answers) {
			ask(next)
			next++
		}
	}
	for n := first; n < len(r.answers); n++ {
		r.answers[n].end = c.ends[stream+2*uint32(n-first)]
	}
	r.wait()
	if r.plain != nil {
		r.plain.Wait()
	}
}

// wait is shorter than Config.SendTimeout, which would start the tasks in the end.
func (r *run) wait() {
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(r.t, r.runner.Wait(ctx))
}

// early counts the tasks that started before the last byte of their response was given to the
// operating system. Starved ones are not counted: net/http2 has no signal after its last write,
// and a server that for 3 of the 4 ms of settling time has not come to write anything, though
// it had something to write and the socket was free, had no processor.
func (r *run) early() (early, starved int) {
	for n := range r.answers {
		a := &r.answers[n]
		require.EqualValues(r.t, 1, a.tasks.Load(), "runs of task %d", n)
		switch {
		case a.sent >= a.end:
		case a.socket.LongestIdle(a.returned, a.started) >= 3*time.Millisecond:
			starved++
		default:
			early++
		}
	}
	return early, starved
}

func (r *run) requireAfter() {
	early, starved := r.early()
	r.t.Logf("%d early, %d on a starved machine, of %d", early, starved, len(r.answers))
	require.Zero(r.t, early)
	require.LessOrEqual(r.t, starved, len(r.answers)/2, "something keeps the server from writing")
	r.requireOutcomes()
}

func (r *run) requireOutcomes() {
	for n := range r.answers {
		o := r.answers[n].outcome
		require.False(r.t, o.Hijacked, "request %d", n)
		require.True(r.t, o.Sent, "request %d", n)
		require.Equal(r.t, http.StatusOK, o.Status, "request %d", n)
		require.EqualValues(r.t, []int{0, 200, 5000}[n%3], o.Bytes, "request %d", n)
	}
}

func TestTasksRunAfterTheResponseOverH2C(t *testing.T) {
	for _, delay := range []time.Duration{0, 5 * time.Millisecond} {
		t.Run(fmt.Sprint("write takes ", delay), func(t *testing.T) {
			t.Parallel()
			r := newRun(t, 400, delay)
			r.requests(dial(t, servertest.HTTP1, r.server), 1, 0)
			r.requireAfter()
		})
	}
}

// A client that asks for HTTP/2 in the header of an HTTP/1.1 request has that request answered
// on stream 1.
func TestTasksRunAfterTheResponseOverUpgradedH2C(t *testing.T) {
	for _, delay := range []time.Duration{0, 5 * time.Millisecond} {
		t.Run(fmt.Sprint("write takes ", delay), func(t *testing.T) {
			t.Parallel()
			r := newRun(t, 200, delay)
			c := upgrade(t, r.server, "/0")
			c.readUntil(func() bool { return c.ended[1] })
			r.requests(c, 3, 1)
			r.answers[0].end = c.ends[1]
			r.requireAfter()
		})
	}
}

// upgrade has no frames before the server has agreed.
func upgrade(t *testing.T, s *servertest.Server, path string) *client {
	conn, err := servertest.Dial(servertest.HTTP1, s)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	settings := base64.RawURLEncoding.EncodeToString([]byte{0, 4, 0x40, 0, 0, 0}) // INITIAL_WINDOW_SIZE
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"+
		"Upgrade: h2c\r\nHTTP2-Settings: %s\r\n\r\n", path, settings)
	require.NoError(t, err)
	res, err := http.ReadResponse(conn.Reader, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	c := newClient(t, conn)
	c.greet()
	return c
}

// Without Attach nothing is promised about when, but the tasks run while the connection is
// open, and are not those of a hijacked one.
func TestTasksRunOverH2COfAServerThatIsNotAttached(t *testing.T) {
	t.Run("prior knowledge", func(t *testing.T) {
		r := newRun(t, 20, 0, servertest.Unattached())
		r.requests(dial(t, servertest.HTTP1, r.server), 1, 0)
		r.requireOutcomes()
	})
	t.Run("upgraded", func(t *testing.T) {
		r := newRun(t, 20, 0, servertest.Unattached())
		c := upgrade(t, r.server, "/0")
		c.readUntil(func() bool { return c.ended[1] })
		r.requests(c, 3, 1)
		r.requireOutcomes()
	})
}

// The check must see early starts: where writes are slow most plain goroutines are early.
func TestH2COrderingCheckSeesPlainGoroutines(t *testing.T) {
	t.Parallel()
	r := newRun(t, 200, 5*time.Millisecond)
	r.plain = new(sync.WaitGroup)
	r.requests(dial(t, servertest.HTTP1, r.server), 1, 0)
	early, _ := r.early()
	require.Greater(t, early, len(r.answers)/2)
}

// Requests of clients that know nothing of HTTP/2 pass through the h2c handler.
func TestTasksOfHTTP1RequestsRunBesideH2C(t *testing.T) {
	r := newRun(t, 20, 0)
	for n := range r.answers {
		_, body, err := r.server.Get(t.Context(), "/"+strconv.Itoa(n))
		require.NoError(t, err)
		require.Len(t, body, []int{0, 200, 5000}[n%3])
	}
	r.wait()
	r.requireOutcomes()
}
