package chimw_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bhCountedConn counts the bytes that the operating system has accepted, after a pause.
type bhCountedConn struct {
	net.Conn
	pause   time.Duration
	written *atomic.Int64
}

func (c bhCountedConn) Write(b []byte) (int, error) {
	if c.pause > 0 && len(b) > 0 {
		<-time.After(c.pause)
	}
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

func bhCounted(written *atomic.Int64, pause time.Duration) servertest.Option {
	return servertest.WrapConn(func(c net.Conn) net.Conn {
		_ = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
		return bhCountedConn{c, pause, written}
	})
}

func TestSlowClientHoldsTheTaskUntilTheLastSend(t *testing.T) {
	const size = 8 << 20 // more than the sockets' buffers hold
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		var written atomic.Int64
		started := make(chan int64, 1)
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "after", func(context.Context) error {
				started <- written.Load()
				return nil
			})
			render.Data(w, r, make([]byte, size))
		})
		s := servertest.Start(t, p, site, bhCounted(&written, 0))
		res, err := s.Client.Get(s.URL)
		require.NoError(t, err)
		assert.Empty(t, started, "the client has read no byte of the body")
		assert.Len(t, bhBody(t, res), size)
		atStart := bhReceive(t, started, "the task")
		if p.HTTP2 {
			atStart += 4 << 10 // net/http's frame buffer
		}
		assert.GreaterOrEqual(t, atStart, int64(size))
	})
}

// The body is small enough to be written only after the handler has returned, so that a
// task started by anything earlier than that write is found out.
func TestSlowSocketHoldsTheTaskUntilTheLastSend(t *testing.T) {
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP1TLS} {
		t.Run(p.Name, func(t *testing.T) {
			site := bhNewSite(bgtasks.Config{})
			var written atomic.Int64
			atStart := make(chan int64, 1)
			site.Get("/", bhAdding(t, "after", func(context.Context) error {
				atStart <- written.Load()
				return nil
			}))
			s := servertest.Start(t, p, site, bhCounted(&written, 30*time.Millisecond))
			bhGet(t, s, "/") // the handshake, under TLS
			bhReceive(t, atStart, "the first task")
			before := written.Load()
			bhGet(t, s, "/")
			assert.Greater(t, bhReceive(t, atStart, "the second task"), before)
		})
	}
}

func TestClientClosesRightAfterTheResponse(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		gone := make(chan struct{})
		site.Get("/", bhAdding(t, "runs to its end", bhUntil(gone)))
		s := servertest.Start(t, p, site)
		bhGet(t, s, "/")
		s.Client.CloseIdleConnections()
		close(gone)
		bhWait(t, site.run)
		assert.EqualValues(t, 1, site.run.Stats().Succeeded)
	})
}

func TestClientClosesBeforeTheResponse(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		entered, left := make(chan struct{}), make(chan error, 1)
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			bhAdd(t, r.Context(), "added too late for the client", func(ctx context.Context) error {
				left <- ctx.Err()
				return nil
			})
			render.PlainText(w, r, "nobody reads this")
		})
		s := servertest.Start(t, p, site)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			bhReceive(t, entered, "the request")
			cancel()
		}()
		// The client may still be given the response if that comes while it closes the connection:
		// over TLS it says so first.
		if _, _, err := s.Get(ctx, "/"); err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		assert.NoError(t, bhReceive(t, left, "the task"), "the request's cancellation is not the task's")
	})
}

func TestNextRequestOnTheConnectionDoesNotWait(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		answered := make(chan struct{})
		site.Get("/", bhAdding(t, "waits for the next answer", bhUntil(answered)))
		site.Get("/next", func(w http.ResponseWriter, r *http.Request) { render.PlainText(w, r, "next") })
		s := servertest.Start(t, p, site)
		bhGet(t, s, "/")
		var reused bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
		})
		_, body, err := s.Get(ctx, "/next")
		require.NoError(t, err)
		assert.True(t, reused)
		assert.Equal(t, "next", string(body))
		assert.Zero(t, site.run.Stats().Succeeded)
		close(answered)
		bhWait(t, site.run)
		assert.EqualValues(t, 1, site.run.Stats().Succeeded)
	})
}

func TestRefusedWebsocketStillRunsItsTasks(t *testing.T) {
	site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
	site.Get("/socket", func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "audit", steps.task("refused", nil))
		render.Status(r, http.StatusForbidden)
		render.PlainText(w, r, "no sockets here")
	})
	s := servertest.Start(t, servertest.HTTP1, site)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/socket", nil)
	require.NoError(t, err)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	res, err := s.Client.Do(req)
	require.NoError(t, err)
	assert.Equal(t, "no sockets here", bhBody(t, res))
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	bhWait(t, site.run)
	assert.Equal(t, []string{"refused"}, steps.all())
}

func TestStreamedAndFileResponsesRunTheirTasks(t *testing.T) {
	content := strings.Repeat("line\n", 50_000)
	responses := map[string]http.HandlerFunc{
		"/stream": func(w http.ResponseWriter, _ *http.Request) {
			for line := range strings.Lines(content) {
				_, _ = io.WriteString(w, line)
			}
			_ = http.NewResponseController(w).Flush()
		},
		"/file": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "lines.txt", time.Time{}, strings.NewReader(content))
		},
	}
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		for path, respond := range responses {
			site.Get(path, func(w http.ResponseWriter, r *http.Request) {
				bhAdd(t, r.Context(), path, steps.task(path, nil))
				respond(w, r)
			})
		}
		s := servertest.Start(t, p, site)
		for path := range responses {
			_, body := bhGet(t, s, path)
			assert.Equal(t, content, body)
		}
		bhWait(t, site.run)
		assert.ElementsMatch(t, []string{"/stream", "/file"}, steps.all())
	})
}
