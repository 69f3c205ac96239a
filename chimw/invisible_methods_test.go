package chimw_test

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The optional interfaces of a ResponseWriter, net/http's own and those that
// http.ResponseController asks for.
type (
	errorFlusher  interface{ FlushError() error }
	closeNotifier interface{ CloseNotify() <-chan bool }
	controls      interface {
		SetReadDeadline(time.Time) error
		SetWriteDeadline(time.Time) error
		EnableFullDuplex() error
	}
)

// methodsOf tells which of them w has. Deadlines and full duplex are asked for one by one.
func methodsOf(w http.ResponseWriter) map[string]bool {
	return map[string]bool{
		"Flush":            implements[http.Flusher](w),
		"FlushError":       implements[errorFlusher](w),
		"Hijack":           implements[http.Hijacker](w),
		"Push":             implements[http.Pusher](w),
		"ReadFrom":         implements[io.ReaderFrom](w),
		"WriteString":      implements[io.StringWriter](w),
		"CloseNotify":      implements[closeNotifier](w),
		"SetReadDeadline":  implements[interface{ SetReadDeadline(time.Time) error }](w),
		"SetWriteDeadline": implements[interface{ SetWriteDeadline(time.Time) error }](w),
		"EnableFullDuplex": implements[interface{ EnableFullDuplex() error }](w),
	}
}

func implements[T any](w http.ResponseWriter) bool {
	_, ok := w.(T)
	return ok
}

// passOn returns what the middleware hands to the handler where it is given w. The task
// makes sure that it does more than to pass w itself on.
func passOn(t *testing.T, w http.ResponseWriter, use func(http.ResponseWriter)) {
	run := muteRunner()
	h := chimw.BackgroundTasks(run)(http.HandlerFunc(func(inner http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "task", taskOfNothing))
		use(inner)
	}))
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.NoError(t, run.Wait(t.Context()))
	require.EqualValues(t, 1, run.Stats().Succeeded)
}

func muteRunner() *bgtasks.Runner {
	return bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
}

func requireSameMethods(t *testing.T, w http.ResponseWriter) {
	t.Helper()
	passOn(t, w, func(inner http.ResponseWriter) {
		assert.Equal(t, methodsOf(w), methodsOf(inner))
		assert.False(t, w == inner, "nothing to compare")
	})
}

func TestMethodsOfRealWritersAreTheSame(t *testing.T) {
	wrappers := map[string]func(http.ResponseWriter, *http.Request) http.ResponseWriter{
		"bare": func(w http.ResponseWriter, _ *http.Request) http.ResponseWriter { return w },
		"chi's wrapper": func(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
			return middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		},
		"chi's wrapper for the other version": func(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
			return middleware.NewWrapResponseWriter(w, 3-r.ProtoMajor)
		},
	}
	for _, p := range servertest.Protocols {
		for name, wrap := range wrappers {
			t.Run(p.Name+", "+name, func(t *testing.T) {
				s := servertest.Start(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					requireSameMethodsIn(t, wrap(w, r), r)
				}))
				_, _, err := s.Get(t.Context(), "/")
				require.NoError(t, err)
			})
		}
	}
}

// requireSameMethodsIn is for a handler of a real server, with its request.
func requireSameMethodsIn(t *testing.T, w http.ResponseWriter, r *http.Request) {
	chimw.BackgroundTasks(muteRunner())(http.HandlerFunc(
		func(inner http.ResponseWriter, r *http.Request) {
			assert.NoError(t, bgtasks.Add(r.Context(), "task", taskOfNothing))
			assert.Equal(t, methodsOf(w), methodsOf(inner))
		})).ServeHTTP(w, r)
}

func TestMethodsOfTimeoutHandlersWriterAreTheSame(t *testing.T) {
	asked := false
	inner := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		requireSameMethods(t, w)
	})
	http.TimeoutHandler(inner, time.Hour, "").ServeHTTP(httptest.NewRecorder(),
		httptest.NewRequest(http.MethodGet, "/", nil))
	require.True(t, asked)
}

func TestMethodsOfRecorderAreTheSame(t *testing.T) {
	requireSameMethods(t, httptest.NewRecorder())
	requireSameMethods(t, middleware.NewWrapResponseWriter(httptest.NewRecorder(), 1))
}

// A spy has every optional method and notes which of them are called.
type spy struct {
	*httptest.ResponseRecorder
	calls []string
}

var errSpy = errors.New("spy")

func newSpy() *spy { return &spy{ResponseRecorder: httptest.NewRecorder()} }

func (s *spy) note(call string) { s.calls = append(s.calls, call) }

func (s *spy) Flush()                           { s.note("Flush") }
func (s *spy) FlushError() error                { s.note("FlushError"); return errSpy }
func (s *spy) CloseNotify() <-chan bool         { s.note("CloseNotify"); return make(chan bool) }
func (s *spy) SetReadDeadline(time.Time) error  { s.note("SetReadDeadline"); return errSpy }
func (s *spy) SetWriteDeadline(time.Time) error { s.note("SetWriteDeadline"); return errSpy }
func (s *spy) EnableFullDuplex() error          { s.note("EnableFullDuplex"); return errSpy }

func (s *spy) Push(string, *http.PushOptions) error { s.note("Push"); return errSpy }

func (s *spy) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	s.note("Hijack")
	return nil, nil, errSpy
}

func (s *spy) ReadFrom(r io.Reader) (int64, error) {
	s.note("ReadFrom")
	return io.Copy(s.Body, r)
}

func (s *spy) WriteString(text string) (int, error) {
	s.note("WriteString")
	return s.Body.WriteString(text)
}

// The comparison must see a wrapper that hides methods.
func TestMethodsComparisonSeesWhatIsHidden(t *testing.T) {
	s := newSpy()
	assert.NotEqual(t, methodsOf(s), methodsOf(core{s}))
	assert.Equal(t, methodsOf(s), methodsOf(newSpy()))
}
