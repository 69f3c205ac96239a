package chimw_test

import (
	"bytes"
	"context"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
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

// huge is more than socket buffers and HTTP/2's windows take while a client doesn't read. It is
// made when it is needed, so as not to be in the way of those who measure the heap.
var huge = sync.OnceValue(func() []byte { return bytes.Repeat([]byte("v"), 16<<20) })

// reportOutcome adds a task that sends the outcome of its request.
func reportOutcome(t *testing.T, r *http.Request, outcomes chan<- bgtasks.Outcome) {
	t.Helper()
	assert.NoError(t, bgtasks.Add(r.Context(), "report "+r.URL.Path, func(ctx context.Context) error {
		o, _ := bgtasks.OutcomeFrom(ctx)
		outcomes <- o
		return nil
	}))
}

// open sends a request and does not read the response's body.
func open(t *testing.T, s *servertest.Server, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	require.NoError(t, err)
	res, err := s.Client.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// A waitingList is a route with tasks, and what its lists have been told.
type waitingList struct {
	book     *logBook
	run      *bgtasks.Runner
	outcomes chan bgtasks.Outcome
}

func newWaitingList(sendTimeout time.Duration) *waitingList {
	book := newLogBook()
	return &waitingList{
		book:     book,
		run:      bgtasks.New(bgtasks.Config{Logger: slog.New(book), SendTimeout: sendTimeout}),
		outcomes: make(chan bgtasks.Outcome, 10),
	}
}

func (l *waitingList) route(t *testing.T, r chi.Router, path string, answer http.HandlerFunc) {
	r.With(chimw.BackgroundTasks(l.run)).Get(path, func(w http.ResponseWriter, r *http.Request) {
		reportOutcome(t, r, l.outcomes)
		answer(w, r)
	})
}

// assertStartedUnsent waits for the list, which must not take the response for sent, and
// must tell.
func (l *waitingList) assertStartedUnsent(t *testing.T, path string) {
	t.Helper()
	assert.False(t, awaitSignal(t, l.outcomes).Sent)
	assert.Len(t, l.book.mentioning(path), 1)
}

// A list without a limit, which waits beside it, shows that the response has indeed not been sent.
func TestClientThatDoesNotReadHoldsItsListForSendTimeoutAtTheMost(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			limited, unlimited := newWaitingList(200*time.Millisecond), newWaitingList(-1)
			r := chi.NewRouter()
			sendHuge := func(w http.ResponseWriter, r *http.Request) { render.Data(w, r, huge()) }
			limited.route(t, r, "/limited", sendHuge)
			unlimited.route(t, r, "/unlimited", sendHuge)
			s := servertest.Start(t, p, r)
			patient, stalled := open(t, s, "/unlimited"), open(t, s, "/limited")

			limited.assertStartedUnsent(t, "/limited")
			require.False(t, t.Failed())
			require.Empty(t, unlimited.outcomes)

			for _, res := range []*http.Response{stalled, patient} {
				sum := crc32.NewIEEE()
				_, err := io.Copy(sum, res.Body)
				assert.NoError(t, err)
				assert.Equal(t, crc32.ChecksumIEEE(huge()), sum.Sum32(), "the response has suffered")
			}
			assert.True(t, awaitSignal(t, unlimited.outcomes).Sent)
			assert.Empty(t, unlimited.book.mentioning(""))
			assert.Empty(t, limited.outcomes, "the list ran twice")
		})
	}
}

// A gate holds back every write to the sockets behind it while it is shut.
type gate struct {
	shut   atomic.Bool
	opened chan struct{}
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c gatedConn) Write(p []byte) (int, error) {
	if c.gate.shut.Load() {
		<-c.gate.opened
	}
	return c.Conn.Write(p)
}

// getBehindGate requests path from a server whose sockets get stuck when the handler runs, until
// the function that it returns is called.
func (l *waitingList) getBehindGate(t *testing.T, p servertest.Protocol, path string, answered chan<- error) func() {
	exit := &gate{opened: make(chan struct{})}
	ran := make(chan struct{})
	r := chi.NewRouter()
	l.route(t, r, path, func(w http.ResponseWriter, r *http.Request) {
		exit.shut.Store(true)
		close(ran)
		render.PlainText(w, r, "ok")
	})
	s := servertest.Start(t, p, r, servertest.WrapConn(func(c net.Conn) net.Conn { return gatedConn{c, exit} }))
	open := sync.OnceFunc(func() { close(exit.opened) })
	t.Cleanup(open)
	go func() {
		_, _, err := s.Get(t.Context(), path)
		answered <- err
	}()
	awaitSignal(t, ran)
	return open
}

// The handler has long returned here, and the bytes of its response are with net/http.
func TestStuckSocketHoldsTheListForSendTimeoutAtTheMost(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			limited, unlimited := newWaitingList(200*time.Millisecond), newWaitingList(-1)
			answered := make(chan error, 2)
			letPatientGo := unlimited.getBehindGate(t, p, "/unlimited", answered)
			letStuckGo := limited.getBehindGate(t, p, "/limited", answered)

			limited.assertStartedUnsent(t, "/limited")
			require.False(t, t.Failed())
			require.Empty(t, unlimited.outcomes)
			assert.Empty(t, answered)

			letStuckGo()
			assert.NoError(t, awaitSignal(t, answered))
			letPatientGo()
			assert.NoError(t, awaitSignal(t, answered))
			assert.True(t, awaitSignal(t, unlimited.outcomes).Sent)
			assert.Empty(t, limited.outcomes, "the list ran twice")
		})
	}
}

// A body that is in memory is copied from a reader then, by net/http's own ReadFrom.
func TestBodyServedFromMemoryGetsStuckLikeAnyOther(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			limited := newWaitingList(200 * time.Millisecond)
			r := chi.NewRouter()
			limited.route(t, r, "/limited", func(w http.ResponseWriter, r *http.Request) {
				http.ServeContent(w, r, "film.bin", time.Time{}, bytes.NewReader(huge()))
			})
			open(t, servertest.Start(t, p, r), "/limited")
			limited.assertStartedUnsent(t, "/limited")
		})
	}
}

func TestStuckResponseCountsByItsStatus(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			limited := newWaitingList(200 * time.Millisecond)
			r := chi.NewRouter()
			limited.route(t, r, "/limited", func(w http.ResponseWriter, r *http.Request) {
				bhAdd(t, r.Context(), "after success", func(context.Context) error { return nil }, bgtasks.When(bgtasks.Outcome.OK))
				render.Status(r, http.StatusInternalServerError)
				render.Data(w, r, huge())
			})
			open(t, servertest.Start(t, p, r), "/limited")
			assert.Equal(t, http.StatusInternalServerError, awaitSignal(t, limited.outcomes).Status)
			bhWait(t, limited.run)
			assert.EqualValues(t, 1, limited.run.Stats().Skipped)
		})
	}
}
