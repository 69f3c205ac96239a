package compat_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/httplog/v3"
	"github.com/go-chi/render"
	"github.com/riandyrn/otelchi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

type middleware = func(http.Handler) http.Handler

// besideTask is what a task sees, in an order's subrouter, of its request.
type besideTask struct{ param, route string }

// Logging and tracing middleware notes a request once, without its tasks, wherever it stands.
func TestBesideHTTPLogAndOtelchi(t *testing.T) {
	for _, p := range servertest.Protocols {
		for _, outside := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/outside=%v", p.Name, outside), func(t *testing.T) {
				t.Parallel()
				besideLogAndTraces(t, p, outside)
			})
		}
	}
}

func besideLogAndTraces(t *testing.T, p servertest.Protocol, outside bool) {
	var log lockedBuffer
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	neighbours := []middleware{
		httplog.RequestLogger(slog.New(slog.NewTextHandler(&log, nil)), &httplog.Options{Level: slog.LevelInfo, Schema: httplog.SchemaOTEL}),
	}

	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
	ours := chimw.BackgroundTasks(run)
	saw := make(chan besideTask, 1)
	hold := make(chan struct{})
	r := chi.NewRouter()
	neighbours = append(neighbours, otelchi.Middleware("shop", otelchi.WithTracerProvider(provider), otelchi.WithChiRoutes(r)))
	if outside {
		r.Use(append(neighbours, ours)...)
	} else {
		r.Use(append([]middleware{ours}, neighbours...)...)
	}
	r.Route("/shops/{shop}", func(r chi.Router) {
		r.Get("/orders/{order}", func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, bgtasks.Add(r.Context(), "note", func(ctx context.Context) error {
				<-hold
				info, _ := bgtasks.InfoFrom(ctx)
				saw <- besideTask{chi.URLParam(r, "order") + chi.URLParamFromCtx(ctx, "shop"), info.Route}
				return nil
			}))
			render.PlainText(w, r, "thanks")
		})
	})
	s := servertest.Start(t, p, r)
	res, body, err := s.Get(t.Context(), "/shops/7/orders/42")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, "thanks", string(body))

	// The client may have the response before the handler chain is through.
	require.Eventually(t, func() bool { return len(spans.GetSpans()) == 1 && log.lines() == 1 }, 10*time.Second, time.Millisecond,
		"request and span are noted though the task waits")
	assert.Equal(t, "/shops/{shop}/orders/{order}", spans.GetSpans()[0].Name)
	close(hold)
	assert.Equal(t, besideTask{"427", "/shops/{shop}/orders/{order}"}, <-saw)
	require.NoError(t, run.Wait(t.Context()))
	assert.Len(t, spans.GetSpans(), 1)
	assert.Equal(t, 1, log.lines())
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) lines() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.b.Bytes(), []byte("\n"))
}
