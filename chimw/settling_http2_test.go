package chimw_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// A stream is a response writer of HTTP/2 as far as its end is concerned.
type stream struct {
	*httptest.ResponseRecorder
	closed chan bool
}

func (s stream) CloseNotify() <-chan bool             { return s.closed }
func (s stream) Push(string, *http.PushOptions) error { return http.ErrNotSupported }

func TestHTTP2TaskWaitsLongerWhileOthersEndOnTheConnection(t *testing.T) {
	const settle = 4 * time.Millisecond
	for _, tc := range []struct {
		name   string
		others []time.Duration // when their streams end, after the task's; negative: before
		want   time.Duration
	}{
		{"alone", nil, settle},
		{"after another", []time.Duration{-time.Millisecond}, settle},
		{"another soon ends", []time.Duration{time.Millisecond}, settle},
		{"another ends", []time.Duration{settle + time.Millisecond}, 2 * settle},
		{"two others end", []time.Duration{time.Millisecond, 2*settle + time.Millisecond}, 3 * settle},
		{"another is stuck", []time.Duration{time.Hour}, 4 * settle},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				assert.Equal(t, tc.want, settling(t, tc.others))
			})
		})
	}
}

// settling is how long after the end of its stream a task starts.
func settling(t *testing.T, others []time.Duration) time.Duration {
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler), SendTimeout: 2 * time.Hour})
	ran := make(chan time.Time, 1)
	ctx, _ := attachedConn(t)
	for _, after := range others {
		s := serveStream(t, run, ctx, func(context.Context) error { return nil })
		time.AfterFunc(2*time.Millisecond+after, func() { s.closed <- true })
	}
	s := serveStream(t, run, ctx, func(context.Context) error {
		ran <- time.Now()
		return nil
	})
	time.Sleep(2 * time.Millisecond) // of the bubble's time
	closed := time.Now()
	s.closed <- true
	started := <-ran
	require.NoError(t, run.Wait(t.Context()))
	return started.Sub(closed)
}

// attachedConn is a connection of an attached server: the context of its requests, and how net/http
// tells of its state.
func attachedConn(t *testing.T) (context.Context, func(http.ConnState)) {
	srv := new(http.Server)
	chimw.Attach(srv)
	nc, peer := net.Pipe()
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), http.ServerContextKey, srv))
	ctx = srv.ConnContext(ctx, nc)
	srv.ConnState(nc, http.StateNew)
	t.Cleanup(func() {
		cancel()
		srv.ConnState(nc, http.StateClosed)
		_, _ = nc.Close(), peer.Close()
	})
	return ctx, func(s http.ConnState) { srv.ConnState(nc, s) }
}

// serveStream serves a request with that task, and leaves its stream open.
func serveStream(t *testing.T, run *bgtasks.Runner, ctx context.Context, task bgtasks.Func) stream {
	s := stream{httptest.NewRecorder(), make(chan bool, 1)}
	h := chimw.BackgroundTasks(run)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "look", task))
	}))
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.ProtoMajor = 2
	h.ServeHTTP(s, r)
	return s
}
