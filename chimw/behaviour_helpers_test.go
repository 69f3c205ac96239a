package chimw_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
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

// bhPatience only turns a hang into a failure.
const bhPatience = 10 * time.Second

// bhEach runs f over every protocol.
func bhEach(t *testing.T, f func(t *testing.T, p servertest.Protocol)) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) { f(t, p) })
	}
}

// bhEachAtOnce is bhEach for an f that waits more than it works: all at once, whatever -parallel
// says.
func bhEachAtOnce(t *testing.T, f func(t *testing.T, p servertest.Protocol)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, p := range servertest.Protocols {
		wg.Go(func() { t.Run(p.Name, func(t *testing.T) { f(t, p) }) })
	}
}

// bhSite is a router with the middleware, its runner and what that has logged.
type bhSite struct {
	*chi.Mux
	run *bgtasks.Runner
	log *bhLog
}

func bhNewSite(cfg bgtasks.Config) *bhSite {
	run, log := bhRunner(cfg)
	site := bhSiteOf(run)
	site.log = log
	return site
}

func bhSiteOf(run *bgtasks.Runner) *bhSite {
	site := &bhSite{Mux: chi.NewRouter(), run: run}
	site.Use(chimw.BackgroundTasks(run))
	return site
}

func bhRunner(cfg bgtasks.Config) (*bgtasks.Runner, *bhLog) {
	log := &bhLog{}
	cfg.Logger = slog.New(log)
	return bgtasks.New(cfg), log
}

// bhWait waits until every accepted task has ended.
func bhWait(t testing.TB, run *bgtasks.Runner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bhPatience)
	defer cancel()
	require.NoError(t, run.Wait(ctx))
}

// bhGet gets a path and returns the response, its body read.
func bhGet(t testing.TB, s *servertest.Server, path string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bhPatience)
	defer cancel()
	res, body, err := s.Get(ctx, path)
	require.NoError(t, err)
	return res, string(body)
}

// bhAdd adds a task, which must be accepted.
func bhAdd(t testing.TB, ctx context.Context, name string, fn bgtasks.Func, opts ...bgtasks.Option) {
	t.Helper()
	assert.NoError(t, bgtasks.Add(ctx, name, fn, opts...))
}

// bhAdding is a handler that adds a task and answers "ok".
func bhAdding(t testing.TB, name string, fn bgtasks.Func) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), name, fn)
		render.PlainText(w, r, "ok")
	}
}

// bhReceive takes a value from a channel that something is expected to arrive in.
func bhReceive[T any](t testing.TB, from <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(bhPatience):
		require.FailNow(t, "waited in vain for "+what)
	}
	return v
}

// bhUntil is a task that runs until gate is closed.
func bhUntil(gate <-chan struct{}) bgtasks.Func {
	return func(ctx context.Context) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(bhPatience):
			return context.DeadlineExceeded
		}
	}
}

// bhDial opens a connection of the test's own to an HTTP/1.1 server.
func bhDial(t testing.TB, s *servertest.Server, p servertest.Protocol) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(bhPatience)))
	if p.TLS {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	return conn
}

func bhBody(t testing.TB, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body)
}

// bhSteps notes what happened, in order.
type bhSteps struct {
	mu    sync.Mutex
	steps []string
}

func (s *bhSteps) note(step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step)
}

func (s *bhSteps) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.steps...)
}

// task notes step when it runs, and returns err.
func (s *bhSteps) task(step string, err error) bgtasks.Func {
	return func(context.Context) error {
		s.note(step)
		return err
	}
}

// bhLog keeps what a runner logs.
type bhLog struct {
	mu    sync.Mutex
	lines []bhLine
}

type bhLine struct {
	level slog.Level
	text  string // message and attributes
}

func (l *bhLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *bhLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *bhLog) WithGroup(string) slog.Handler            { return l }

func (l *bhLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, bhLine{r.Level, text})
	return nil
}

// with returns the lines of a level that contain part.
func (l *bhLog) with(level slog.Level, part string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.lines {
		if line.level == level && strings.Contains(line.text, part) {
			found = append(found, line.text)
		}
	}
	return found
}
