package chimw_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A stuckHandler has tasks that Config.SendTimeout starts while it is inside a write, and goes
// on when its client reads.
type stuckHandler struct {
	*chi.Mux
	book *logBook
	run  *bgtasks.Runner
	over chan struct{} // closed when it is about to return
}

// newStuckHandler adds beside as a task, is stuck, and then does rest.
func newStuckHandler(t *testing.T, beside func(w http.ResponseWriter, r *http.Request), rest http.HandlerFunc, tasks ...bgtasks.Option) *stuckHandler {
	book := newLogBook()
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(book), SendTimeout: 50 * time.Millisecond})
	h := &stuckHandler{chi.NewRouter(), book, run, make(chan struct{})}
	h.Use(chimw.BackgroundTasks(run))
	h.Get("/", func(w http.ResponseWriter, r *http.Request) {
		defer close(h.over)
		own := r.WithContext(r.Context())                                                                     // some uses change it
		bhAdd(t, r.Context(), "beside", func(context.Context) error { beside(w, own); return nil }, tasks...) //bgvet:ignore misuse is what is tested
		_, err := w.Write(huge())
		assert.NoError(t, err)
		rest(w, r)
	})
	return h
}

// requireWhole reads the response to its end.
func requireWhole(t *testing.T, res *http.Response, want ...[]byte) {
	t.Helper()
	expected, sum := crc32.NewIEEE(), crc32.NewIEEE()
	for _, p := range want {
		_, _ = expected.Write(p)
	}
	_, err := io.Copy(sum, res.Body)
	require.NoError(t, err)
	assert.Equal(t, expected.Sum32(), sum.Sum32(), "the response has suffered")
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Empty(t, res.Trailer)
	assert.Empty(t, res.Header["X-Foreign"])
}

// pieces are what a handler writes when it goes on, in turn from goroutines of its own.
var pieces = []byte(strings.Repeat("piece of the handler's own response\n", 2000))

func writePieces(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var wg sync.WaitGroup
		for p := pieces; len(p) > 0; p = p[min(100, len(p)):] {
			wg.Go(func() {
				_, err := w.Write(p[:min(100, len(p))])
				assert.NoError(t, err)
				assert.NoError(t, http.NewResponseController(w).Flush())
				w.Header().Set("X-Own", "yes")
			})
			wg.Wait()
			linger(10 * time.Microsecond)
		}
	}
}

// misuse does all that a task can do to a response.
func misuse(t *testing.T, p servertest.Protocol, w http.ResponseWriter, r *http.Request) {
	for _, use := range lateUsesOn(p) {
		err := use.do(w, r) //bgvet:ignore misuse is what is tested
		if use.fails {
			assert.ErrorIs(t, err, bgtasks.ErrResponseSent, use.name)
			assert.NotContains(t, fmt.Sprint(err), "bytes written", use.name)
		}
	}
}

// The task is at it before the client reads, while the handler goes on, and when that has
// returned.
func TestTaskBesideAStuckHandlerDoesNotReachItsResponse(t *testing.T) {
	for _, p := range servertest.Protocols {
		for _, own := range []string{"plain", "with middleware", "on a goroutine of middleware"} {
			t.Run(p.Name+"/"+own, func(t *testing.T) {
				t.Parallel()
				tried := make(chan struct{})
				var h *stuckHandler
				h = newStuckHandler(t, func(w http.ResponseWriter, r *http.Request) {
					misuse(t, p, w, r)
					close(tried)
					for over := false; !over; {
						select {
						case <-h.over: //bgvet:ignore set before there is a request
							over = true
						case <-time.After(100 * time.Microsecond):
						}
						misuse(t, p, w, r)
					}
				}, writePieces(t), middlewareOf(own)...)
				res := open(t, servertest.Start(t, p, h), "/")
				awaitSignal(t, tried)
				requireWhole(t, res, huge(), pieces)
				awaitIdle(t, h.run)
				assert.Equal(t, map[string]int{"beside": 1}, h.book.tasks())
			})
		}
	}
}

func middlewareOf(how string) []bgtasks.Option {
	same := func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error { return next(ctx) }
	}
	apart := func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			done := make(chan error)
			go func() { done <- next(ctx) }()
			return <-done
		}
	}
	switch how {
	case "with middleware":
		return []bgtasks.Option{bgtasks.Middleware(same)}
	case "on a goroutine of middleware":
		return []bgtasks.Option{bgtasks.Middleware(apart)}
	}
	return nil
}

// When the handler has gone on, nothing tells such goroutines from its own.
func TestGoroutineOfATaskDoesNotReachTheResponseOfAStuckHandler(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			tried := make(chan struct{})
			h := newStuckHandler(t, func(w http.ResponseWriter, r *http.Request) {
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						_, err := w.Write([]byte(foreign)) //bgvet:ignore misuse is what is tested
						assert.ErrorIs(t, err, bgtasks.ErrResponseSent)
						w.Header().Set("X-Foreign", foreign) //bgvet:ignore misuse is what is tested
						assert.ErrorIs(t, http.NewResponseController(w).Flush(), bgtasks.ErrResponseSent)
					})
				}
				wg.Wait()
				close(tried)
			}, writePieces(t))
			res := open(t, servertest.Start(t, p, h), "/")
			awaitSignal(t, tried)
			requireWhole(t, res, huge(), pieces)
			awaitIdle(t, h.run)
			assert.Equal(t, map[string]int{"beside": 1}, h.book.tasks())
		})
	}
}

// A handler's other goroutine sets a deadline, which ends the write, long after the tasks have
// begun.
func TestHandlerCanEndItsOwnStuckWrite(t *testing.T) {
	unwrapped := func(w http.ResponseWriter) http.ResponseWriter {
		return w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
	}
	as := func(w http.ResponseWriter) http.ResponseWriter { return w }
	// HTTP/1.1 without TLS, with which net/http takes 5 s to close such a connection
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP2, servertest.H2C} {
		for name, of := range map[string]func(http.ResponseWriter) http.ResponseWriter{"writer": as, "inside": unwrapped} {
			t.Run(p.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				book, tasks, ended := newLogBook(), make(chan struct{}), make(chan error, 1)
				run := bgtasks.New(bgtasks.Config{Logger: slog.New(book), SendTimeout: 50 * time.Millisecond})
				r := chi.NewRouter()
				r.Use(chimw.BackgroundTasks(run))
				r.Get("/", func(w http.ResponseWriter, r *http.Request) {
					bhAdd(t, r.Context(), "beside", func(context.Context) error { close(tasks); return nil })
					var watchdog sync.WaitGroup
					watchdog.Go(func() {
						<-tasks
						assert.NoError(t, http.NewResponseController(of(w)).SetWriteDeadline(time.Now()))
					})
					_, err := w.Write(huge())
					watchdog.Wait()
					ended <- err
				})
				open(t, servertest.Start(t, p, r), "/")
				assert.Error(t, awaitSignal(t, ended))
				awaitIdle(t, run)
				assert.Len(t, book.mentioning(""), 1, "only that the response was not sent in time")
			})
		}
	}
}

// A pausedWriter is one whose first write takes until it is told to go on.
type pausedWriter struct {
	*httptest.ResponseRecorder
	goOn <-chan struct{}
}

func (w pausedWriter) Write(p []byte) (int, error) {
	<-w.goOn
	return w.ResponseRecorder.Write(p)
}

// A task that serves a request is a handler for that request's tasks.
func TestStuckHandlerThatATaskServesGoesOn(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{SendTimeout: 50 * time.Millisecond})
	site := bhSiteOf(run)
	inner := make(chan struct{})
	site.Get("/inner", func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "of the inner request", func(context.Context) error {
			_, err := io.WriteString(w, foreign) //bgvet:ignore misuse is what is tested
			assert.ErrorIs(t, err, bgtasks.ErrResponseSent)
			close(inner)
			return nil
		})
		for _, part := range []string{"stuck, ", "and going on"} {
			_, err := w.Write([]byte(part))
			assert.NoError(t, err)
		}
	})
	w := pausedWriter{httptest.NewRecorder(), inner}
	site.Get("/", bhAdding(t, "serves", func(ctx context.Context) error {
		site.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/inner", nil))
		return nil
	}))
	bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/")
	awaitIdle(t, run)
	assert.Equal(t, "stuck, and going on", w.Body.String())
}

func TestDeadlinesThatAreRenewedAreNoProgressOfAStuckWrite(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler), SendTimeout: 200 * time.Millisecond})
	ran := make(chan struct{})
	s := servertest.Start(t, servertest.HTTP1, chimw.BackgroundTasks(run)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "look", func(context.Context) error { close(ran); return nil }))
		go func() {
			renew := time.NewTicker(10 * time.Millisecond)
			defer renew.Stop()
			for {
				select {
				case <-ran:
					return
				case <-renew.C:
					_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour))
				}
			}
		}()
		_, _ = w.Write(make([]byte, 32<<20))
	})))
	conn, err := net.Dial("tcp", s.Addr)
	require.NoError(t, err)
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	bhReceive(t, ran, "the task")
	require.NoError(t, conn.Close())
	require.NoError(t, run.Wait(t.Context()))
}
