package chimw_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"
)

// bhWarning is what an unattached server has logged.
const bhWarning = "chimw.Attach"

func TestServerNeverAttachedWarnsOnceAndRunsItsTasks(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		answered := make(chan struct{})
		site.Get("/", bhAdding(t, "task", bhUntil(answered)))
		s := servertest.Start(t, p, site, servertest.Unattached())
		for range 3 {
			_, body := bhGet(t, s, "/")
			assert.Equal(t, "ok", body)
		}
		close(answered)
		bhWait(t, site.run)
		assert.EqualValues(t, 3, site.run.Stats().Succeeded)
		assert.Len(t, site.log.with(slog.LevelWarn, bhWarning), 1)
	})
}

// The order is known only of the handler chain here, not of the response.
func TestServerNeverAttachedRunsTasksAfterTheWholeHandlerChain(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		run, _ := bhRunner(bgtasks.Config{})
		var returned atomic.Bool
		seen := make(chan bool, 1)
		ours := chimw.BackgroundTasks(run)(bhAdding(t, "task", func(context.Context) error {
			seen <- returned.Load()
			return nil
		}))
		outermost := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ours.ServeHTTP(w, r)
			select { // outer middleware that is busy for longer than any settling time
			case <-seen:
				seen <- false
			case <-time.After(50 * time.Millisecond):
			}
			returned.Store(true)
		})
		bhGet(t, servertest.Start(t, p, outermost, servertest.Unattached()), "/")
		assert.True(t, bhReceive(t, seen, "the task"))
	})
}

// Compress has the methods of an HTTP/2 writer whatever is inside it.
func TestServerNeverAttachedRunsTasksInsideCompression(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		run, _ := bhRunner(bgtasks.Config{SendTimeout: -1})
		r := chi.NewRouter()
		r.Use(middleware.Compress(5), chimw.BackgroundTasks(run))
		ran := make(chan bgtasks.Outcome, 1)
		r.Get("/", bhAdding(t, "task", bhTellOutcome(ran)))
		bhGet(t, servertest.Start(t, p, r, servertest.Unattached()), "/")
		assert.True(t, bhReceive(t, ran, "the task").Sent)
	})
}

// bhBrokenLog panics for every line.
type bhBrokenLog struct{ bhLog }

func (*bhBrokenLog) Handle(context.Context, slog.Record) error { panic("the log is broken") }

func TestWarningThatCannotBeLoggedLeavesTheResponseAlone(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhSiteOf(bgtasks.New(bgtasks.Config{Logger: slog.New(&bhBrokenLog{})}))
		site.Get("/", bhAdding(t, "task", func(context.Context) error { return nil }))
		_, body := bhGet(t, servertest.Start(t, p, site, servertest.Unattached()), "/")
		assert.Equal(t, "ok", body)
		bhWait(t, site.run)
		assert.EqualValues(t, 1, site.run.Stats().Succeeded)
	})
}

func TestAttachedServerDoesNotWarn(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		bhAttached(t, p, nil)
	})
}

func TestAttachedTwiceIsAttachedOnce(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		bhAttached(t, p, func(srv *http.Server) {
			chimw.Attach(srv)
			chimw.Attach(srv)
		})
	})
}

func TestAttachedAgainAfterConnStateWasOverwritten(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		var states atomic.Int64
		bhAttached(t, p, func(srv *http.Server) { // servertest attaches it once more
			chimw.Attach(srv)
			srv.ConnState = func(net.Conn, http.ConnState) { states.Add(1) }
		})
		assert.Positive(t, states.Load())
	})
}

// bhAttached serves requests on an attached server, which must run each task once and
// give no warning.
func bhAttached(t *testing.T, p servertest.Protocol, configure func(*http.Server)) {
	site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
	site.Get("/{n}", bhNoting(t, steps))
	var opts []servertest.Option
	if configure != nil {
		opts = append(opts, servertest.Configure(configure))
	}
	s := servertest.Start(t, p, site, opts...)
	for _, path := range []string{"/1", "/2", "/3"} {
		bhGet(t, s, path)
	}
	bhWait(t, site.run)
	assert.ElementsMatch(t, []string{"/1", "/2", "/3"}, steps.all())
	assert.Empty(t, site.log.with(slog.LevelWarn, ""))
}

func TestConnStateAssignedAfterAttachStillRunsTheTasks(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		site.Get("/{n}", bhNoting(t, steps))
		s := servertest.Start(t, p, site, servertest.Unattached(), servertest.Configure(func(srv *http.Server) {
			chimw.Attach(srv)
			srv.ConnState = func(net.Conn, http.ConnState) {}
		}))
		for _, path := range []string{"/1", "/2"} {
			bhGet(t, s, path)
		}
		bhWait(t, site.run)
		assert.ElementsMatch(t, []string{"/1", "/2"}, steps.all())
		assert.Len(t, site.log.with(slog.LevelWarn, bhWarning), 1)
	})
}

func TestHooksThatTheServerHasAreKept(t *testing.T) {
	type key struct{}
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, seen := bhNewSite(bgtasks.Config{}), make(chan any, 1)
		var states atomic.Int64
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdding(t, "task", func(ctx context.Context) error {
				seen <- ctx.Value(key{})
				return nil
			})(w, r)
		})
		s := servertest.Start(t, p, site, servertest.Configure(func(srv *http.Server) {
			srv.ConnState = func(net.Conn, http.ConnState) { states.Add(1) }
			srv.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
				return context.WithValue(ctx, key{}, "from ConnContext")
			}
		}))
		bhGet(t, s, "/")
		assert.Equal(t, "from ConnContext", bhReceive(t, seen, "the task"))
		assert.Positive(t, states.Load())
		assert.Empty(t, site.log.with(slog.LevelWarn, ""))
	})
}

func TestRecorderStartsTheTasksWhenTheMiddlewareReturns(t *testing.T) {
	run, log := bhRunner(bgtasks.Config{})
	returned := make(chan struct{})
	h := chimw.BackgroundTasks(run)(bhAdding(t, "task", bhUntil(returned)))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	close(returned)
	assert.Equal(t, "ok", rec.Body.String())
	bhWait(t, run)
	assert.EqualValues(t, 1, run.Stats().Succeeded)
	assert.Empty(t, log.with(slog.LevelWarn, ""), "there is no server to attach")
}

func TestHTTPTestServerIsAServerLikeAnyOther(t *testing.T) {
	site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
	site.Get("/{n}", bhNoting(t, steps))
	ts := httptest.NewUnstartedServer(site)
	chimw.Attach(ts.Config)
	ts.Start()
	defer ts.Close()
	for _, path := range []string{"/1", "/2"} {
		res, err := ts.Client().Get(ts.URL + path)
		assert.NoError(t, err)
		assert.Equal(t, path, bhBody(t, res))
	}
	bhWait(t, site.run)
	assert.ElementsMatch(t, []string{"/1", "/2"}, steps.all())
	assert.Empty(t, site.log.with(slog.LevelWarn, ""))
}

// bhFuncConn is a net.Conn that, unlike those of package net, cannot be a map's key.
type bhFuncConn struct {
	net.Conn
	_ func()
}

// Nothing is known of such a connection, so its tasks run as those of a server that was
// never attached.
func TestConnThatIsNotComparableIsServedAllTheSame(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	conns := map[string]net.Conn{
		"itself":  bhFuncConn{Conn: here},
		"wrapped": struct{ net.Conn }{bhFuncConn{Conn: here}},
	}
	for name, conn := range conns {
		t.Run(name, func(t *testing.T) {
			srv := &http.Server{}
			chimw.Attach(srv)
			chimw.Attach(srv)
			assert.NotPanics(t, func() {
				srv.ConnContext(t.Context(), conn)
				srv.ConnState(conn, http.StateNew)
				srv.ConnState(conn, http.StateActive)
				srv.ConnState(conn, http.StateIdle)
				srv.ConnState(conn, http.StateClosed)
			})
		})
	}
}
