package chimw_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
)

// A source tells when it is read, and has something to give when it is fed.
type source struct {
	reading chan struct{}
	food    chan []byte
}

func (s source) Read(p []byte) (int, error) {
	select {
	case s.reading <- struct{}{}:
	default:
	}
	food, more := <-s.food
	if !more {
		return 0, io.EOF
	}
	return copy(p, food), nil
}

// The connection's next response must not get what is copied then.
func TestCopyThatAHandlerHasLeftBehindWritesNoMoreOnceItHasReturned(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{})
	src := source{make(chan struct{}, 1), make(chan []byte)}
	copied, inSecond := make(chan error, 1), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/first", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		assert.NoError(t, http.NewResponseController(w).Flush())
		go func() {
			_, err := io.Copy(w, src)
			copied <- err
		}()
		<-src.reading
		assert.NoError(t, bgtasks.Add(r.Context(), "feed it", func(context.Context) error {
			<-inSecond
			src.food <- []byte("FOREIGN")
			close(src.food)
			return nil
		}))
	})
	mux.HandleFunc("/second", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "mine, ")
		close(inSecond)
		assert.ErrorIs(t, <-copied, bgtasks.ErrResponseSent)
		_, _ = io.WriteString(w, "all mine")
	})
	s := servertest.Start(t, servertest.HTTP1, chimw.BackgroundTasks(run)(mux))
	_, body, err := s.Get(t.Context(), "/first")
	require.NoError(t, err)
	assert.Equal(t, "first", string(body))
	_, body, err = s.Get(t.Context(), "/second")
	require.NoError(t, err)
	assert.Equal(t, "mine, all mine", string(body))
	require.NoError(t, run.Wait(t.Context()))
}
