package chimw_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
)

// The stream of these requests does not end for long: the client's window is full, say.

func TestHTTP2TaskOfAStreamThatDoesNotEndWaitsForSendTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, _ := attachedConn(t)
		took, sent := unheard(t, ctx, func(stream) {})
		assert.Equal(t, 2*time.Hour, took)
		assert.False(t, sent)
	})
}

func TestHTTP2TaskOfAStreamThatEndsLateStartsThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, state := attachedConn(t)
		took, sent := unheard(t, ctx, func(s stream) {
			time.AfterFunc(time.Hour, func() {
				state(http.StateIdle) // before the last frame is written
				time.Sleep(time.Millisecond)
				s.closed <- true
			})
		})
		assert.Equal(t, time.Hour+5*time.Millisecond, took)
		assert.True(t, sent)
	})
}

func TestHTTP2TaskOfAStreamThatDoesNotEndStartsWhenTheConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, state := attachedConn(t)
		took, sent := unheard(t, ctx, func(stream) { time.AfterFunc(time.Hour, func() { state(http.StateClosed) }) })
		assert.Equal(t, time.Hour, took)
		assert.False(t, sent)
	})
}

func TestHTTP2NothingIsKeptOfAStreamThatDoesNotEndOnceItsTasksHaveRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := attachedConn(t)
		kept := weakly(conn)
		took, _ := unheard(t, kept.ctx, func(stream) {})
		assert.Equal(t, 2*time.Hour, took)
		kept.ctx = nil
		time.Sleep(time.Second) // of the bubble's time, for the goroutine that listens
		for range 5 {
			runtime.GC()
			synctest.Wait()
		}
		assert.Nil(t, kept.pointer.Value())
	})
}

// A keptContext is one of which can be told whether anybody has it still.
type keptContext struct {
	ctx     context.Context
	pointer weak.Pointer[[1 << 20]byte]
}

func weakly(parent context.Context) *keptContext {
	big := new([1 << 20]byte)
	type key struct{}
	return &keptContext{context.WithValue(parent, key{}, big), weak.Make(big)}
}

func TestHTTP2TaskOfAStreamThatDoesNotEndWithoutAttach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, sent := unheard(t, context.WithValue(t.Context(), http.ServerContextKey, new(http.Server)), func(stream) {})
		assert.Equal(t, time.Minute, took, "there is nothing else to hear of")
		assert.False(t, sent, "as far as is known")
	})
}

// unheard is how long a task waits for a stream of whose end nothing is heard, and whether its
// response is said to have been sent.
func unheard(t *testing.T, conn context.Context, meanwhile func(stream)) (took time.Duration, sent bool) {
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler), SendTimeout: 2 * time.Hour})
	ran := make(chan bgtasks.Outcome, 1)
	ctx, cancel := context.WithCancel(conn)
	s := serveStream(t, run, ctx, func(ctx context.Context) error {
		o, _ := bgtasks.OutcomeFrom(ctx)
		ran <- o
		return nil
	})
	began := time.Now()
	cancel() // as net/http does when the handler has returned, before the rest of the response is written
	meanwhile(s)
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

// The context of the request can end long before its stream, by chi's Timeout for one.
func TestHTTP2HandlerIsNotToldThatItsClientHasGoneWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler), SendTimeout: 2 * time.Hour})
		ctx, _ := attachedConn(t)
		limited, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		s := stream{httptest.NewRecorder(), make(chan bool, 1)}
		ran := make(chan bgtasks.Outcome, 1)
		h := chimw.BackgroundTasks(run)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, bgtasks.Add(r.Context(), "look", func(ctx context.Context) error {
				o, _ := bgtasks.OutcomeFrom(ctx)
				ran <- o
				return nil
			}))
			select {
			case <-w.(interface{ CloseNotify() <-chan bool }).CloseNotify():
				t.Error("it has been told")
			case <-time.After(10 * time.Minute): // of the bubble's time
			}
		}))
		r := httptest.NewRequestWithContext(limited, http.MethodGet, "/", nil)
		r.ProtoMajor = 2
		h.ServeHTTP(s, r)
		returned := time.Now()
		s.closed <- true
		assert.True(t, (<-ran).Sent)
		assert.Less(t, time.Since(returned), 20*time.Millisecond)
		require.NoError(t, run.Wait(t.Context()))
	})
}
