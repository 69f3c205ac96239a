package chimw_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// controllerCalls are what http.ResponseController can do, Hijack last.
var controllerCalls = []struct {
	name string
	call func(*http.ResponseController) error
}{
	{"EnableFullDuplex", (*http.ResponseController).EnableFullDuplex},
	{"SetReadDeadline", func(c *http.ResponseController) error { return c.SetReadDeadline(time.Now().Add(time.Hour)) }},
	{"SetWriteDeadline", func(c *http.ResponseController) error { return c.SetWriteDeadline(time.Now().Add(time.Hour)) }},
	{"Flush", (*http.ResponseController).Flush},
	{"Hijack", func(c *http.ResponseController) error {
		conn, _, err := c.Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return err
	}},
}

// controllerResults tells for each call whether it worked, or was not supported, or failed.
func controllerResults(w http.ResponseWriter) map[string]string {
	results := map[string]string{}
	c := http.NewResponseController(w)
	for _, call := range controllerCalls {
		switch err := call.call(c); {
		case err == nil:
			results[call.name] = "works"
		case errors.Is(err, http.ErrNotSupported):
			results[call.name] = "not supported"
		default:
			results[call.name] = err.Error()
		}
	}
	return results
}

// furtherIn are the writers between the middleware's and the handler.
var furtherIn = map[string]func(http.ResponseWriter, *http.Request) http.ResponseWriter{
	"nothing between": func(w http.ResponseWriter, _ *http.Request) http.ResponseWriter { return w },
	"chi's wrapper between": func(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
		return middleware.NewWrapResponseWriter(w, r.ProtoMajor)
	},
	"only Unwrap between": func(w http.ResponseWriter, _ *http.Request) http.ResponseWriter { return unwrapper{w} },
}

type unwrapper struct{ w http.ResponseWriter }

func (u unwrapper) Header() http.Header         { return u.w.Header() }
func (u unwrapper) Write(p []byte) (int, error) { return u.w.Write(p) }
func (u unwrapper) WriteHeader(status int)      { u.w.WriteHeader(status) }
func (u unwrapper) Unwrap() http.ResponseWriter { return u.w }

func TestResponseControllerWorksThroughTheWriter(t *testing.T) {
	for _, p := range servertest.Protocols {
		for name, between := range furtherIn {
			t.Run(p.Name+", "+name, func(t *testing.T) {
				want := resultsOverServer(t, p, between)
				require.Equal(t, "works", want["SetWriteDeadline"])
				require.Equal(t, p.HTTP2, want["Hijack"] == "not supported")
				for _, pr := range shapes.Presences {
					g := shapes.NewGuise(pr)
					assert.Equal(t, want, resultsOverServer(t, p, between, g.Middleware()...), pr.Name)
					g.Release(t)
					g.RequireTasks(t)
				}
			})
		}
	}
}

func resultsOverServer(t *testing.T, p servertest.Protocol,
	between func(http.ResponseWriter, *http.Request) http.ResponseWriter, mws ...func(http.Handler) http.Handler,
) map[string]string {
	results := make(chan map[string]string, 1)
	r := chi.NewRouter()
	r.Use(mws...)
	r.Post("/", func(w http.ResponseWriter, r *http.Request) { results <- controllerResults(between(w, r)) })
	s := servertest.Start(t, p, r)
	res, err := s.Client.Post(s.URL, "text/plain", nil)
	if err == nil { // Hijack ends the response in the middle
		_, _ = io.Copy(io.Discard, res.Body)
		require.NoError(t, res.Body.Close())
	}
	return <-results
}

func TestUnwrapLeadsToTheOriginalWhileTheHandlerRuns(t *testing.T) {
	original := newSpy()
	passOn(t, core{original}, func(w http.ResponseWriter) {
		assert.ErrorIs(t, http.NewResponseController(w).Flush(), http.ErrNotSupported)
	})
	passOn(t, unwrapper{original}, func(w http.ResponseWriter) {
		original.calls = nil
		assert.Equal(t, errSpy, http.NewResponseController(w).Flush())
		assert.Equal(t, errSpy, http.NewResponseController(w).SetReadDeadline(time.Now()))
		assert.Equal(t, errSpy, http.NewResponseController(w).EnableFullDuplex())
	})
	assert.Equal(t, []string{"FlushError", "SetReadDeadline", "EnableFullDuplex"}, original.calls)
}
