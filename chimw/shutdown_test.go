package chimw_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const shortGrace = 250 * time.Millisecond

// latest is when Serve has returned at the latest: a second after grace, and what a machine
// takes that has other things to do. It is far from SendTimeout's minute.
const latest = shortGrace + time.Second + 10*time.Second

// A shutdownCase is one server, its runner and its books.
type shutdownCase struct {
	book *ledger
	run  *bgtasks.Runner
	work *workload
}

func newShutdownCase(hang bool) *shutdownCase {
	c := &shutdownCase{
		book: newLedger(),
		run:  bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)}),
		work: &workload{hang: hang},
	}
	c.run.Observe(c.book.observe)
	return c
}

// assertAccounted checks that each accepted task has ended or is named in err, not both.
func (c *shutdownCase) assertAccounted(t *testing.T, err error) {
	t.Helper()
	named := map[taskKey]bool{}
	var unfinished *bgtasks.ShutdownError
	if errors.As(err, &unfinished) {
		assert.NotEmpty(t, unfinished.Unfinished)
		for _, info := range unfinished.Unfinished {
			key := taskKey{info.ID, info.Position}
			assert.False(t, named[key], "%+v is named twice", info)
			named[key] = true
		}
	}
	assert.Equal(t, named, c.book.named())
	c.book.assertBalanced(t)
}

// assertHandlersAgree waits for handlers that go on although their connections are closed.
func (c *shutdownCase) assertHandlersAgree(t *testing.T) {
	t.Helper()
	assert.Eventually(t, func() bool { return c.work.accepted.Load() == c.book.count(bgtasks.Accepted) },
		hangLimit, time.Millisecond)
}

// awaitSignal waits until ready is closed or gets a value.
func awaitSignal[T any](t *testing.T, ready <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ready:
	case <-time.After(hangLimit):
		assert.Fail(t, "no signal")
	}
	return v
}

// awaitResult is what Serve returned, in time.
func awaitResult(t *testing.T, s *servertest.Served) error {
	t.Helper()
	stopped := time.Now()
	select {
	case err := <-s.Result:
		assert.Less(t, time.Since(stopped), latest)
		return err
	case <-time.After(hangLimit):
		require.Fail(t, "Serve has not returned")
		return nil
	}
}

// shutDownUnderLoad stops a server after so many requests, while its clients go on.
func shutDownUnderLoad(t *testing.T, p servertest.Protocol, c *shutdownCase, after int64) error {
	reached, ended := make(chan struct{}), make(chan struct{})
	c.work.onRequest = func(n int64) {
		if n == after {
			close(reached)
		}
	}
	s := servertest.Serve(t, p, c.work.router(c.run), c.run, shortGrace)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		if p == servertest.HTTP1 {
			(&rudeLoad{addr: s.Addr, path: workPath}).run(8, 1_000_000)
			return
		}
		politeLoad(ctx, s.Server, 8, workPath)
	}()
	awaitSignal(t, reached)
	s.Stop()
	err := awaitResult(t, s)
	c.assertAccounted(t, err)
	c.book.close()
	cancel()
	<-ended
	return err
}

// What Serve left unfinished has been told and stays so: the ledger is closed when Serve
// returns, and complains about whatever comes later.
func TestServeReturnsWithEveryTaskEndedOrNamed(t *testing.T) {
	rounds := sized(100, 10)
	named := 0
	results := make(chan error, rounds)
	spread(10, rounds, func(i int) {
		c := newShutdownCase(i%5 != 0)
		p := servertest.HTTP1
		if i%10 >= 7 {
			p = servertest.Protocols[1+i%3]
		}
		t.Run(fmt.Sprintf("%d %s", i, p.Name), func(t *testing.T) {
			results <- shutDownUnderLoad(t, p, c, 1+rand.Int64N(300))
			awaitIdle(t, c.run)
			c.assertHandlersAgree(t)
			c.book.assertBalanced(t)
			c.book.assertAgreesWith(t, c.run.Stats())
			assert.Zero(t, c.work.disorder.Load())
		})
	})
	close(results)
	for err := range results {
		if unfinished := new(bgtasks.ShutdownError); errors.As(err, &unfinished) {
			named++
		}
	}
	t.Logf("%d of %d shutdowns named unfinished tasks", named, rounds)
	assert.Positive(t, named)
}

// A task that ignores its cancellation is named, and not waited for longer than a second.
func TestServeLeavesATaskThatIgnoresItsCancellation(t *testing.T) {
	c := newShutdownCase(false)
	started, release := make(chan struct{}), make(chan struct{})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(c.run))
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "stubborn", func(context.Context) error {
			close(started)
			<-release
			return nil
		}))
		assert.NoError(t, bgtasks.Add(r.Context(), "behind it", succeed))
		render.PlainText(w, r, "ok")
	})
	s := servertest.Serve(t, servertest.HTTP1, r, c.run, shortGrace)
	_, _, err := s.Get(t.Context(), "/")
	require.NoError(t, err)
	awaitSignal(t, started)
	s.Stop()
	err = awaitResult(t, s)
	c.assertAccounted(t, err)
	assert.Len(t, c.book.named(), 2)
	c.book.close()
	close(release)
	awaitIdle(t, c.run)
	c.assertAccounted(t, err)
	c.book.assertAgreesWith(t, c.run.Stats())
}

// http.Server.Shutdown can return before the last responses have been reported as sent.
func TestShutdownAfterTheServersWaitsForEveryTask(t *testing.T) {
	for _, p := range servertest.Protocols {
		for round := range sized(5, 1) {
			t.Run(fmt.Sprintf("%s %d", p.Name, round), func(t *testing.T) {
				t.Parallel()
				c := newShutdownCase(false)
				reached, ended := make(chan struct{}), make(chan struct{})
				c.work.onRequest = func(n int64) {
					if n == int64(50+round*40) {
						close(reached)
					}
				}
				s := servertest.Start(t, p, c.work.router(c.run))
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					defer close(ended)
					politeLoad(ctx, s, 8, workPath)
				}()
				awaitSignal(t, reached)
				shutdownServer(t, s)
				patient, stop := context.WithTimeout(t.Context(), hangLimit)
				defer stop()
				err := c.run.Shutdown(patient)
				assert.NoError(t, err)
				c.assertAccounted(t, err)
				c.book.close()
				cancel()
				<-ended
				c.assertHandlersAgree(t)
				c.book.assertAgreesWith(t, c.run.Stats())
			})
		}
	}
}

// shutdownServer gives up soon: the server would wait 5 s for a connection that a client has
// dialed and not used.
func shutdownServer(t *testing.T, s *servertest.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), shortGrace)
	defer cancel()
	if s.HTTP.Shutdown(ctx) != nil {
		_ = s.HTTP.Close()
	}
}
