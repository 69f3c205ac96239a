package compat_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// A target is what hostile clients are let loose on: each request adds a task.
type target struct {
	*servertest.Server
	run        *bgtasks.Runner
	added, ran atomic.Int64
}

func newTarget(t *testing.T, w way, cfg bgtasks.Config) *target {
	cfg.Logger = slog.New(slog.DiscardHandler)
	g := &target{run: bgtasks.New(cfg)}
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(g.run))
	r.HandleFunc(shapes.Route, func(w http.ResponseWriter, r *http.Request) {
		if bgtasks.Add(r.Context(), "task", func(context.Context) error { g.ran.Add(1); return nil }) == nil {
			g.added.Add(1)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		render.PlainText(w, r, "small")
	})
	g.Server = w.start(t, r)
	return g
}

// wait is for every task that has been added to have run, once.
func (g *target) wait(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, g.run.Wait(ctx))
	assert.Equal(t, g.added.Load(), g.ran.Load())
}

func onEachWay(t *testing.T, f func(t *testing.T, w way)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			f(t, w)
		})
	}
}

// Its window is shut, so that no byte of a body can be sent, though the handlers have long
// returned: that holds their tasks for SendTimeout, and no longer.
func TestHTTP2ClientThatTakesNoBodyHoldsTasksForSendTimeout(t *testing.T) {
	const streams = 100
	onEachWay(t, func(t *testing.T, w way) {
		g := newTarget(t, w, bgtasks.Config{SendTimeout: 300 * time.Millisecond})
		conn, err := servertest.Dial(w.protocol, g.Server)
		require.NoError(t, err)
		defer conn.Close()
		c := newClient(t, conn)
		_, err = io.WriteString(c.conn, http2.ClientPreface)
		require.NoError(t, err)
		require.NoError(t, c.frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
		for i := range uint32(streams) {
			c.request(1+2*i, shapes.Shape{}, w.scheme, "a.test")
		}
		c.readUntil(func() bool { return len(c.log) == streams }) // all have been answered, without a body
		assert.EqualValues(t, streams, g.added.Load())
		g.wait(t)
		require.NoError(t, c.frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
		c.readUntil(func() bool { return len(c.ended) == streams+1 })
		assert.EqualValues(t, streams, g.ran.Load(), "none again")
	})
}

// It resets each stream right after its request: before, while and after the handler runs.
func TestHTTP2ClientThatResetsItsStreamsLosesNoTask(t *testing.T) {
	const streams = 1000
	onEachWay(t, func(t *testing.T, w way) {
		g := newTarget(t, w, bgtasks.Config{})
		c := dial(t, w.protocol, g.Server)
		go func() { _, _ = io.Copy(io.Discard, c.conn) }()
		for i := range uint32(streams) {
			s := shapes.Shape{}
			if i%3 == 0 {
				s.Body, s.SendBody = "never sent", shapes.Never
			}
			c.request(1+2*i, s, w.scheme, "a.test")
			if c.frames.WriteRSTStream(1+2*i, http2.ErrCodeCancel) != nil {
				break // the server has had enough of it
			}
		}
		require.Eventually(t, func() bool { return g.added.Load() > 0 }, time.Minute, time.Millisecond)
		_ = c.conn.Close()
		// More handlers may begin for a while.
		require.Eventually(t, func() bool { return g.added.Load() == g.ran.Load() && g.run.Stats().Pending == 0 },
			time.Minute, 10*time.Millisecond, "each task runs once")
		t.Logf("%d of %d requests reached the handler", g.added.Load(), streams)
	})
}
