package chimw_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A handler may make up requests and have the router serve them, as those of a batch. net/http makes them
// HTTP/1.1, whatever the connection speaks; on HTTP/2 that is not idle while another stream is open.
func TestTasksOfABatchOverHTTP2StartThoughAnotherStreamIsOpen(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler), SendTimeout: -1})
	ran := make(chan bgtasks.Outcome, 1)
	r, outside := chi.NewRouter(), http.NewServeMux()
	outside.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	outside.HandleFunc("/batch", func(w http.ResponseWriter, q *http.Request) {
		one, err := http.NewRequestWithContext(q.Context(), http.MethodPost, "/orders/7", nil)
		assert.NoError(t, err)
		r.ServeHTTP(httptest.NewRecorder(), one)
	})
	r.With(chimw.BackgroundTasks(run)).Post("/orders/{id}", func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "look", func(ctx context.Context) error {
			o, _ := bgtasks.OutcomeFrom(ctx)
			ran <- o
			return nil
		}))
	})
	s := servertest.Start(t, servertest.HTTP2, outside)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/stream", nil)
	require.NoError(t, err)
	res, err := s.Client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()

	_, _, err = s.Get(t.Context(), "/batch")
	require.NoError(t, err)
	select {
	case o := <-ran:
		assert.True(t, o.Sent)
	case <-time.After(10 * time.Second):
		t.Error("the task waits for the other stream")
	}
}
