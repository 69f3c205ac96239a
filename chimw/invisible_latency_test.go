package chimw_test

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/require"
)

// answers are responses that a client may have to wait for, each in its own way.
var answers = map[string]http.HandlerFunc{
	"small": func(w http.ResponseWriter, r *http.Request) { render.PlainText(w, r, "small") },
	"empty": render.NoContent,
	"large": func(w http.ResponseWriter, r *http.Request) { render.PlainText(w, r, strings.Repeat("large ", 50_000)) },
	"flushed": func(w http.ResponseWriter, r *http.Request) {
		render.PlainText(w, r, "flushed")
		_ = http.NewResponseController(w).Flush()
	},
	"failed": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "failed", http.StatusInternalServerError) },
}

func TestClientWaitsForNoTask(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			for name, answer := range answers {
				t.Run(name, func(t *testing.T) {
					g := shapes.NewGuise(shapes.Presence{Tasks: 3, Block: true})
					s := serveAnswer(t, p, answer, g.Middleware()...)
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					defer cancel()
					first := connectionOf(t, ctx, s)
					for range 5 {
						require.Equal(t, first, connectionOf(t, ctx, s), "a connection of its own for the next request")
					}
					g.Release(t)
					require.EqualValues(t, 18, g.RequireTasks(t))
				})
			}
		})
	}
}

func serveAnswer(t *testing.T, p servertest.Protocol, answer http.HandlerFunc, mws ...func(http.Handler) http.Handler) *servertest.Server {
	r := chi.NewRouter()
	r.Use(mws...)
	r.Get("/", answer)
	return servertest.Start(t, p, r)
}

// connectionOf gets the whole response and tells the connection that it came by.
func connectionOf(t *testing.T, ctx context.Context, s *servertest.Server) (local string) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { local = info.Conn.LocalAddr().String() },
	})
	_, _, err := s.Get(ctx, "/")
	require.NoError(t, err)
	return local
}

// One request's tasks must not hold another's, nor the server's other connections.
func TestOtherConnectionsWaitForNoTask(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			g := shapes.NewGuise(shapes.Presence{Tasks: 1, Block: true})
			s := serveAnswer(t, p, answers["small"], g.Middleware()...)
			for range 20 {
				client := *s
				client.Client = p.Client(t)
				_, body, err := client.Get(t.Context(), "/")
				require.NoError(t, err)
				require.Equal(t, "small", string(body))
			}
			g.Release(t)
			g.RequireTasks(t)
		})
	}
}

// The check must see a client that waits: the work is done by a middleware here, after next.
func TestLatencyCheckSeesWorkInTheHandlerChain(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			working, done := make(chan struct{}), make(chan struct{})
			s := serveAnswer(t, p, answers["small"], func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					next.ServeHTTP(w, r)
					close(working)
					<-done
				})
			})
			defer close(done)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-working
				cancel()
			}()
			_, _, err := s.Get(ctx, "/")
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

// A task that never ends holds its list and nothing else, whatever the list before it did.
func TestTasksOfRequestsOnOneConnectionDoNotWaitForEachOther(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			run := muteRunner()
			release, second := make(chan struct{}), make(chan struct{})
			r := chi.NewRouter()
			r.Use(chimw.BackgroundTasks(run))
			r.Get("/", func(w http.ResponseWriter, r *http.Request) {
				require.NoError(t, bgtasks.Add(r.Context(), "blocked", func(context.Context) error { <-release; return nil }))
			})
			r.Get("/second", func(w http.ResponseWriter, r *http.Request) {
				require.NoError(t, bgtasks.Add(r.Context(), "quick", func(context.Context) error { close(second); return nil }))
			})
			s := servertest.Start(t, p, r)
			_, _, err := s.Get(t.Context(), "/")
			require.NoError(t, err)
			_, _, err = s.Get(t.Context(), "/second")
			require.NoError(t, err)
			select {
			case <-second:
			case <-time.After(30 * time.Second):
				t.Error("the second request's task waits for the first one's")
			}
			close(release)
			require.NoError(t, run.Wait(t.Context()))
		})
	}
}
