package chimw_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/inspector"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInspectorStreamIsLive(t *testing.T) {
	bhEachAtOnce(t, func(t *testing.T, p servertest.Protocol) {
		site, _ := inspected(bgtasks.Config{})
		release := make(chan struct{})
		site.Get("/", bhAdding(t, "mail", bhUntil(release)))
		s := servertest.Start(t, p, site)
		feed := openFeed(t, s.Client, s.URL+"/debug/tasks")
		assert.Zero(t, feed.next(t).Counters.Accepted, "the stream itself is no task")
		bhGet(t, s, "/")
		r := feed.until(t, "the task to run", func(r inspector.Report) bool { return r.Running.Count == 1 })
		assert.Equal(t, "mail", r.Running.Tasks[0].Name)
		close(release)
		feed.until(t, "the task's end", func(r inspector.Report) bool { return r.Counters.Succeeded == 1 })
	})
}

func TestInspectorStreamForThePageHasItsParts(t *testing.T) {
	site, _ := inspected(bgtasks.Config{})
	s := servertest.Start(t, servertest.HTTP1, site)
	feed := openFeed(t, s.Client, s.URL+"/debug/tasks?parts")
	data, _ := feed.data()
	parts := map[string]string{}
	require.NoError(t, json.Unmarshal([]byte(data), &parts))
	assert.Contains(t, parts["running"], "Nothing is running.")
	page := ask(site, http.MethodGet, "/debug/tasks", "text/html").Body.String()
	for id := range parts {
		assert.Contains(t, page, ` id="`+id+`"`)
	}
	assert.Len(t, parts, 8)
}

// A server's shutdown waits for responses under way: a stream must end by itself.
func TestInspectorStreamDoesNotHoldUpTheServersShutdown(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		for name, opts := range map[string][]servertest.Option{"attached": nil, "not attached": {servertest.Unattached()}} {
			site, _ := inspected(bgtasks.Config{})
			s := servertest.Start(t, p, site, opts...)
			feed := openFeed(t, s.Client, s.URL+"/debug/tasks")
			feed.next(t)
			ctx, cancel := context.WithTimeout(t.Context(), bhPatience)
			defer cancel()
			require.NoError(t, s.HTTP.Shutdown(ctx), name)
			feed.ended(t)
		}
	})
}

// No hook of a server runs that is registered once its shutdown has begun: Attach registers one.
func TestInspectorStreamThatBeginsInAShutdownEndsAtOnce(t *testing.T) {
	site, _ := inspected(bgtasks.Config{})
	arrived, closing := make(chan struct{}), make(chan struct{})
	s := servertest.Start(t, servertest.HTTP1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-closing
		site.ServeHTTP(w, r)
	}), servertest.Configure(func(srv *http.Server) {
		srv.RegisterOnShutdown(func() { close(closing) })
	}))
	down := make(chan error, 1)
	go func() {
		<-arrived
		down <- s.HTTP.Shutdown(context.Background())
	}()
	openFeed(t, s.Client, s.URL+"/debug/tasks").ended(t)
	assert.NoError(t, bhReceive(t, down, "the server's shutdown"))
}

func TestInspectorStreamDoesNotHoldUpServe(t *testing.T) {
	site, _ := inspected(bgtasks.Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- chimw.Serve(ctx, &http.Server{Handler: site}, ln, site.run, time.Minute) }()
	feed := openFeed(t, servertest.HTTP1.Client(t), "http://"+ln.Addr().String()+"/debug/tasks")
	feed.next(t)
	cancel()
	assert.NoError(t, bhReceive(t, served, "the server's end"), "half of the grace period is longer than that")
	feed.ended(t)
}

// On a server of its own the page shows what a shutdown still waits for, until it is through.
func TestInspectorStreamEndsWhenTheRunnersShutdownIsThrough(t *testing.T) {
	site, _ := inspected(bgtasks.Config{})
	s := servertest.Start(t, servertest.HTTP1, site)
	ctx, list := openList(site.run, 1)
	release := make(chan struct{})
	bhAdd(t, ctx, "last", bhUntil(release))
	list.Start(bgtasks.Outcome{})
	feed := openFeed(t, s.Client, s.URL+"/debug/tasks")
	down := make(chan error, 1)
	go func() { down <- site.run.Shutdown(context.Background()) }()
	r := feed.until(t, "the shutdown to begin", func(r inspector.Report) bool { return r.Shutdown.Begun })
	assert.Equal(t, 1, r.Shutdown.Tasks)
	close(release)
	require.NoError(t, bhReceive(t, down, "the shutdown's end"), "a stream is no task to wait for")
	feed.until(t, "the last event", func(r inspector.Report) bool { return r.Shutdown.Tasks == 0 })
	feed.ended(t)
}

func TestInspectorStreamEndsWhenTheClientGoes(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, _ := inspected(bgtasks.Config{})
		s := servertest.Start(t, p, site)
		for range 5 {
			feed := openFeed(t, s.Client, s.URL+"/debug/tasks")
			feed.next(t)
			feed.cancel()
		}
		assertNoStreams(t)
	})
}

// Beyond that number a client gets one event at a time, and a place when one is free.
func TestInspectorStreamsAreLimited(t *testing.T) {
	site, _ := inspected(bgtasks.Config{})
	s := servertest.Start(t, servertest.HTTP1, site)
	var feeds []*eventFeed
	for range 16 {
		feeds = append(feeds, openFeed(t, s.Client, s.URL+"/debug/tasks"))
		feeds[len(feeds)-1].next(t)
	}
	for range 3 {
		oneMore := openFeed(t, s.Client, s.URL+"/debug/tasks")
		oneMore.next(t)
		_, more := oneMore.data()
		assert.False(t, more)
	}
	feeds[0].cancel()
	require.Eventually(t, func() bool {
		feed := openFeed(t, s.Client, s.URL+"/debug/tasks")
		defer feed.cancel()
		feed.next(t)
		_, more := feed.data()
		return more
	}, bhPatience, 10*time.Millisecond)
	for _, feed := range feeds {
		feed.cancel()
	}
	assertNoStreams(t)
}

func TestInspectorStreamWhereNothingCanBeFlushedIsOneEvent(t *testing.T) {
	site, _ := inspected(bgtasks.Config{})
	s := servertest.Start(t, servertest.HTTP1, http.TimeoutHandler(site, time.Minute, ""))
	feed := openFeed(t, s.Client, s.URL+"/debug/tasks")
	feed.next(t)
	_, more := feed.data()
	assert.False(t, more)
}

func TestInspectorStreamOutlivesTheServersTimeouts(t *testing.T) {
	bhEachAtOnce(t, func(t *testing.T, p servertest.Protocol) {
		site, _ := inspected(bgtasks.Config{})
		s := servertest.Start(t, p, site, servertest.Configure(func(srv *http.Server) {
			srv.ReadTimeout, srv.WriteTimeout = 500*time.Millisecond, 500*time.Millisecond
		}))
		feed := openFeed(t, s.Client, s.URL+"/debug/tasks")
		for range 3 {
			feed.next(t)
		}
	})
}

// Under load, read by many, beside tasks that fail and are refused.
func TestInspectorUnderLoad(t *testing.T) {
	site, page := inspected(bgtasks.Config{MaxPending: 40, MaxRunning: 4})
	site.Post("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "good", func(ctx context.Context) error { return bgtasks.Add(ctx, "nested", nothing) })
		_ = bgtasks.Add(r.Context(), "bad", func(context.Context) error { return errors.New("bad") })
		_ = bgtasks.Add(r.Context(), "worse", func(context.Context) error { panic("worse") })
		_ = bgtasks.Add(r.Context(), "gone", nothing)
		bgtasks.Forget(r.Context(), "gone")
	})
	s := servertest.Start(t, servertest.HTTP1, site)
	load, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for load.Err() == nil { // and each request to its end: the server knows nothing of those cut off
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/orders/7", nil)
				if res, err := s.Client.Do(r); err == nil {
					_ = res.Body.Close()
				}
			}
		})
	}
	var readers sync.WaitGroup
	for range 4 {
		feed := openFeed(t, s.Client, s.URL+"/debug/tasks")
		readers.Go(func() { assertGrows(t, feed) })
	}
	for _, accept := range []string{"text/html", "application/json"} {
		readers.Go(func() {
			for range 20 {
				assert.Equal(t, http.StatusOK, ask(page, http.MethodGet, "/", accept).Code)
			}
		})
	}
	readers.Wait()
	stop()
	clients.Wait()
	bhWait(t, site.run)
	r, stats := look(t, page), site.run.Stats()
	assert.Equal(t, inspector.Counters{
		Accepted: stats.Accepted, Refused: stats.Refused, Succeeded: stats.Succeeded, Failed: stats.Failed,
		Panicked: stats.Panicked, Forgotten: stats.Forgotten,
	}, r.Counters)
	sum := func(counts []int64) (n int64) {
		for _, c := range counts {
			n += c
		}
		return n
	}
	assert.Equal(t, stats.Accepted, sum(r.History.Accepted), "no event is lost")
	assert.Equal(t, stats.Refused, sum(r.History.Refused))
	assert.Equal(t, stats.Succeeded, sum(r.History.Succeeded))
	assert.Equal(t, stats.Failed+stats.Panicked, sum(r.History.Failed))
	assert.Zero(t, r.Shutdown)
	assert.Len(t, r.Failures, 32)
}

func assertGrows(t *testing.T, feed *eventFeed) {
	var before inspector.Report
	for range 4 {
		r := feed.next(t)
		assert.GreaterOrEqual(t, r.Counters.Accepted, before.Counters.Accepted)
		assert.True(t, r.Now.After(before.Now))
		assert.LessOrEqual(t, r.Running.Count, 4)
		numbers := []int{}
		for _, f := range r.Failures {
			numbers = append(numbers, -f.Number)
		}
		assert.True(t, slices.IsSorted(numbers), "the latest first")
		before = r
	}
	assert.Positive(t, before.Counters.Accepted)
	feed.cancel()
}

func TestInspectorSendsOneLineOfDataAnEvent(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{})
	h := chimw.Inspector(run)
	ctx, _ := openList(run, 1)
	bhAdd(t, ctx, "two\n\nevent: forged\ndata: lines\r\n", nothing)
	request, cancel := context.WithCancel(t.Context())
	cancel() // one event
	for _, url := range []string{"/", "/?parts"} {
		w := askWith(request, h, url, "text/event-stream")
		lines := strings.Split(w.Body.String(), "\n")
		require.Len(t, lines, 4, "retry, data, and an empty line")
		assert.True(t, strings.HasPrefix(lines[0], "retry: "))
		assert.True(t, strings.HasPrefix(lines[1], "data: {"))
		assert.NotContains(t, lines[1], "\r")
	}
}
