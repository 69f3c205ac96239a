package chimw_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
)

// The stream of these requests does not end: the client's window is full, say.

func TestHTTP2TaskOfAStreamThatDoesNotEndWaitsForSendTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, _ := attachedConn(t)
		took, sent := unheard(t, ctx, func() {})
		assert.Equal(t, 2*time.Hour, took)
		assert.False(t, sent)
	})
}

func TestHTTP2TaskOfAStreamThatIsNotHeardToEndStartsWhenTheConnectionIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, state := attachedConn(t)
		took, sent := unheard(t, ctx, func() { time.AfterFunc(time.Hour, func() { state(http.StateIdle) }) })
		assert.Equal(t, time.Hour, took)
		assert.True(t, sent)
	})
}

func TestHTTP2TaskOfAStreamThatIsNotHeardToEndStartsWhenTheConnectionHasBeenIdleSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, state := attachedConn(t)
		took, sent := unheard(t, ctx, func() { time.AfterFunc(time.Second, func() { state(http.StateIdle) }) })
		assert.Equal(t, time.Minute, took, "until then the end of the stream may be told")
		assert.True(t, sent)
	})
}

func TestHTTP2TaskOfAStreamThatDoesNotEndStartsWhenTheConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, state := attachedConn(t)
		took, sent := unheard(t, ctx, func() { time.AfterFunc(time.Hour, func() { state(http.StateClosed) }) })
		assert.Equal(t, time.Hour, took)
		assert.False(t, sent)
	})
}

func TestHTTP2TaskOfAStreamThatDoesNotEndWithoutAttach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, sent := unheard(t, context.WithValue(t.Context(), http.ServerContextKey, new(http.Server)), func() {})
		assert.Equal(t, time.Minute, took, "there is nothing else to hear of")
		assert.False(t, sent, "as far as is known")
	})
}

// unheard is how long a task waits for a stream of whose end nothing is heard, and whether its
// response is said to have been sent.
func unheard(t *testing.T, conn context.Context, meanwhile func()) (took time.Duration, sent bool) {
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler), SendTimeout: 2 * time.Hour})
	ran := make(chan bgtasks.Outcome, 1)
	ctx, cancel := context.WithCancel(conn)
	serveStream(t, run, ctx, func(ctx context.Context) error {
		o, _ := bgtasks.OutcomeFrom(ctx)
		ran <- o
		return nil
	})
	began := time.Now()
	cancel() // as net/http does when the handler has returned, before the rest of the response is written
	meanwhile()
	o := <-ran
	took = time.Since(began)
	require.NoError(t, run.Wait(t.Context()))
	return took, o.Sent
}

func TestHTTP2TaskWaitsForAClientThatOpensItsWindowLate(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler), SendTimeout: -1})
	ran := make(chan bgtasks.Outcome, 1)
	s := servertest.Start(t, servertest.HTTP2, chimw.BackgroundTasks(run)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "look", func(ctx context.Context) error {
			o, _ := bgtasks.OutcomeFrom(ctx)
			ran <- o
			return nil
		}))
		_, _ = w.Write(make([]byte, 1000))
	})))
	client := servertest.HTTP2.Client(t)
	client.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 1}
	res, err := client.Get(s.URL)
	require.NoError(t, err)
	defer res.Body.Close()
	select {
	case o := <-ran:
		t.Fatalf("the task has started, %+v, and the client has a byte of the response", o)
	case <-time.After(100 * time.Millisecond):
	}
	_, err = io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.True(t, (<-ran).Sent)
}
