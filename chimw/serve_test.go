package chimw_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bhServed is a server that chimw.Serve runs.
type bhServed struct {
	*servertest.Server
	stop context.CancelFunc
	err  chan error
}

// bhServeSite serves site as chimw.Serve does, until stop is called.
func bhServeSite(t *testing.T, p servertest.Protocol, site *bhSite, grace time.Duration) *bhServed {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	s := &bhServed{bhUnstarted(t, p, site, ln.Addr().String()), cancel, make(chan error, 1)}
	go func() { s.err <- chimw.Serve(ctx, s.HTTP, ln, site.run, grace) }()
	t.Cleanup(func() {
		cancel()
		_ = s.HTTP.Close()
	})
	return s
}

// end stops the server and returns what Serve does.
func (s *bhServed) end(t *testing.T) error {
	t.Helper()
	s.Client.CloseIdleConnections() // for which an HTTP/2 server waits a second
	s.stop()
	return bhReceive(t, s.err, "the end of Serve")
}

func TestServeUntilTheContextEnds(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		site.Get("/{n}", bhNoting(t, steps))
		s := bhServeSite(t, p, site, bhPatience)
		res, body := bhGet(t, s.Server, "/1")
		assert.Equal(t, "/1", body)
		assert.Equal(t, p.TLS, res.TLS != nil)
		assert.Equal(t, p.HTTP2, res.ProtoMajor == 2)
		require.NoError(t, s.end(t))
		assert.Equal(t, []string{"/1"}, steps.all())
		assert.Empty(t, site.log.with(0, bhWarning), "it attaches by itself")
		_, _, err := s.Get(t.Context(), "/2")
		assert.Error(t, err)
	})
}

func TestListenAndServeUntilTheContextEnds(t *testing.T) {
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP2} {
		t.Run(p.Name, func(t *testing.T) {
			site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
			site.Get("/{n}", bhNoting(t, steps))
			addr := make(chan string, 1)
			s := bhUnstarted(t, p, site, "")
			s.HTTP.Addr = "127.0.0.1:0"
			s.HTTP.BaseContext = func(ln net.Listener) context.Context {
				addr <- ln.Addr().String()
				return context.Background()
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			served := make(chan error, 1)
			go func() { served <- chimw.ListenAndServe(ctx, s.HTTP, site.run, bhPatience) }()
			s.URL += bhReceive(t, addr, "the server")
			bhGet(t, s, "/1")
			s.Client.CloseIdleConnections()
			cancel()
			require.NoError(t, bhReceive(t, served, "the end of ListenAndServe"))
			assert.Equal(t, []string{"/1"}, steps.all())
		})
	}
}

func TestRequestsUnderWayFinishAndThenTheirTasks(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		s := bhServeSite(t, p, site, bhPatience)
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "task", func(ctx context.Context) error {
				steps.note("task")
				return ctx.Err()
			})
			s.stop()
			bhUntilRefused(t, s.Addr)
			assert.NoError(t, r.Context().Err(), "the end of ctx is not the request's")
			steps.note("handler")
			render.PlainText(w, r, "finished")
		})
		_, body := bhGet(t, s.Server, "/")
		assert.Equal(t, "finished", body)
		require.NoError(t, s.end(t))
		assert.Equal(t, []string{"handler", "task"}, steps.all())
	})
}

// bhUntilRefused waits until the server has closed its listener.
func bhUntilRefused(t *testing.T, addr string) {
	assert.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, bhPatience, time.Millisecond)
}

func TestBusyPortIsNamedAndTheRunnerStaysUsable(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
	site.Get("/{n}", bhNoting(t, steps))
	err = chimw.ListenAndServe(t.Context(), &http.Server{Addr: ln.Addr().String(), Handler: site}, site.run, bhPatience)
	require.ErrorContains(t, err, ln.Addr().String())
	var op *net.OpError
	assert.ErrorAs(t, err, &op)
	bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/1")
	bhWait(t, site.run)
	assert.Equal(t, []string{"/1"}, steps.all())
}

func TestShutdownByOthersEndsServe(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		site.Get("/{n}", bhNoting(t, steps))
		s := bhServeSite(t, p, site, bhPatience)
		bhGet(t, s.Server, "/1")
		s.Client.CloseIdleConnections()
		require.NoError(t, s.HTTP.Shutdown(t.Context()))
		require.NoError(t, bhReceive(t, s.err, "the end of Serve"))
		assert.Equal(t, []string{"/1"}, steps.all())
		assert.ErrorIs(t, bhAddToNew(site), bgtasks.ErrShutdown)
	})
}

// bhAddToNew adds a task in a request that no server knows of.
func bhAddToNew(site *bhSite) error {
	ctx, list := site.run.Open(context.Background(), bgtasks.Info{})
	defer list.Start(bgtasks.Outcome{})
	return bgtasks.Add(ctx, "task", func(context.Context) error { return nil })
}

func TestGraceThatRunsOutNamesTheTask(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		causes := make(chan error, 1)
		site.Get("/items/{id}", bhAdding(t, "endless", func(ctx context.Context) error {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		}))
		s := bhServeSite(t, p, site, 50*time.Millisecond)
		bhGet(t, s.Server, "/items/7")
		var unfinished *bgtasks.ShutdownError
		require.True(t, errors.As(s.end(t), &unfinished))
		require.Len(t, unfinished.Unfinished, 1)
		assert.Equal(t, []string{"endless", "/items/{id}"}, []string{unfinished.Unfinished[0].Name, unfinished.Unfinished[0].Route})
		assert.ErrorIs(t, bhReceive(t, causes, "the cause"), bgtasks.ErrShutdown)
	})
}

func TestStuckRequestIsCutOffAndItsTasksStillRun(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		t.Parallel() // each waits for half of its grace
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		entered := make(chan struct{})
		site.Get("/stuck", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "task", steps.task("task", nil))
			close(entered)
			<-r.Context().Done() // nothing but the end of the connection gets it out of here
		})
		const grace = 2 * time.Second
		s := bhServeSite(t, p, site, grace)
		failed := make(chan error, 1)
		go func() {
			_, _, err := s.Get(t.Context(), "/stuck")
			failed <- err
		}()
		bhReceive(t, entered, "the request")
		stopped := time.Now()
		assert.ErrorIs(t, s.end(t), context.DeadlineExceeded, "the server's shutdown did not succeed")
		assert.GreaterOrEqual(t, time.Since(stopped), grace/2)
		assert.Error(t, bhReceive(t, failed, "the client"))
		assert.Equal(t, []string{"task"}, steps.all())
	})
}

func TestServeReturnsASecondAfterGraceAtTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
		run.OnShutdown(func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(900 * time.Millisecond) // of the second that it has
			return nil
		})
		release := make(chan struct{})
		h := chimw.BackgroundTasks(run)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			assert.NoError(t, bgtasks.Add(r.Context(), "stubborn", func(context.Context) error { <-release; return nil }))
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		began := time.Now()
		assert.ErrorContains(t, chimw.ShutDownTasks(run, began.Add(time.Minute)), "stubborn")
		assert.Equal(t, time.Minute+time.Second, time.Since(began))
		close(release)
	})
}

func TestServerThatFailsLeavesThePortFree(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	srv := &http.Server{Addr: addr, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{bhCertificate()}, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}} // not HTTP/2's
	require.Error(t, chimw.ListenAndServe(t.Context(), srv, bgtasks.New(bgtasks.Config{}), time.Second))
	ln, err = net.Listen("tcp", addr)
	require.NoError(t, err)
	require.NoError(t, ln.Close())
}

type unclosable struct {
	net.Listener
	accepting func()
}

func (l unclosable) Accept() (net.Conn, error) {
	l.accepting()
	return l.Listener.Accept()
}

func (l unclosable) Close() error {
	_ = l.Listener.Close()
	return errors.New("the socket's file is not there")
}

func TestListenerThatFailsToCloseIsNotSaidToHaveCutOffRequests(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	err = chimw.Serve(ctx, new(http.Server), unclosable{ln, cancel}, bgtasks.New(bgtasks.Config{}), time.Second)
	require.ErrorContains(t, err, "the socket's file is not there")
	assert.NotContains(t, err.Error(), "cut off")
}
