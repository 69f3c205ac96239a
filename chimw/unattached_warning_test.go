package chimw_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// exitingLog ends the goroutine that logs, as t.Fatal in a test's handler does.
type exitingLog struct {
	slog.Handler
	exit func()
}

func (l exitingLog) Handle(context.Context, slog.Record) error {
	l.exit()
	return nil
}

func TestWarningThatEndsItsGoroutineHarmsNeitherResponseNorTask(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(exitingLog{slog.Default().Handler(), runtime.Goexit}), SendTimeout: -1})
	ran := make(chan bool, 1)
	srv := httptest.NewServer(chimw.BackgroundTasks(run)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "look", func(context.Context) error {
			ran <- true
			return nil
		}))
	})))
	defer srv.Close()
	res, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	defer res.Body.Close()
	<-ran
	require.NoError(t, run.Wait(t.Context()))
}
