package chimw_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
)

// A pushingWriter has all methods, whatever is inside, and does not unwrap: as that of some
// middleware that compresses.
type pushingWriter struct{ http.ResponseWriter }

func (w pushingWriter) Push(string, *http.PushOptions) error { return http.ErrNotSupported }
func (w pushingWriter) Flush()                               { w.ResponseWriter.(http.Flusher).Flush() }
func (w pushingWriter) CloseNotify() <-chan bool {
	return w.ResponseWriter.(interface{ CloseNotify() <-chan bool }).CloseNotify()
}

func TestWriterThatCouldPushIsNotTakenForHTTP2(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{})
	ran := make(chan time.Time, 1)
	h := chimw.BackgroundTasks(run)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "look", func(ctx context.Context) error {
			ran <- time.Now()
			return nil
		}))
	}))
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(pushingWriter{w}, r) })
	s := servertest.Start(t, servertest.HTTP1, outer, servertest.Unattached())
	began := time.Now()
	_, _, err := s.Get(t.Context(), "/")
	require.NoError(t, err)
	assert.Less(t, (<-ran).Sub(began), 30*time.Second, "which is half of what a stream is waited for")
}
