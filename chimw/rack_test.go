package chimw_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCallbackThatPanicsInTheMiddleStopsNoOther(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "before", steps.task("before", nil))
			bhAdd(t, r.Context(), "middle", func(context.Context) error { panic("in the middle") })
			bhAdd(t, r.Context(), "after", steps.task("after", nil))
			render.PlainText(w, r, "ok")
		})
		_, body := bhGet(t, servertest.Start(t, p, site), "/")
		assert.Equal(t, "ok", body)
		bhWait(t, site.run)
		assert.Equal(t, []string{"before", "after"}, steps.all())
		assert.EqualValues(t, 1, site.run.Stats().Panicked)
		assert.Len(t, site.log.with(slog.LevelError, "in the middle"), 1)
	})
}

// bhRecordedConn keeps what the server writes.
type bhRecordedConn struct {
	net.Conn
	record func([]byte)
}

func (c *bhRecordedConn) Write(b []byte) (int, error) {
	c.record(b)
	return c.Conn.Write(b)
}

func TestCallbackThatPanicsOnAKeepAliveConnectionPutsNoByteOnTheWire(t *testing.T) {
	site := bhNewSite(bgtasks.Config{})
	site.Get("/", func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "panics", func(context.Context) error { panic("boom") })
		w.Header()["Date"] = nil
		render.PlainText(w, r, "ok")
	})
	var mu sync.Mutex
	var wire string
	s := servertest.Start(t, servertest.HTTP1, site, servertest.WrapConn(func(c net.Conn) net.Conn {
		return &bhRecordedConn{c, func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			wire += string(b)
		}}
	}))
	conn := bhDial(t, s, servertest.HTTP1)
	const answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nok"
	in := bufio.NewReader(conn)
	for i := range 3 {
		bhRawRequest(t, conn, in)
		bhWait(t, site.run)
		require.EqualValues(t, i+1, site.run.Stats().Panicked)
	}
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, answer+answer+answer, wire)
}

// bhRawRequest sends a GET on a connection of its own and reads the response.
func bhRawRequest(t *testing.T, conn net.Conn, in *bufio.Reader) {
	t.Helper()
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	res, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	assert.Equal(t, "ok", bhBody(t, res))
}

func TestCallbacksGetStatusAndFailureOfTheResponse(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, outcomes := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Outcome, 1)
		site.Get("/{how}", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "callback", func(ctx context.Context) error {
				outcome, ok := bgtasks.OutcomeFrom(ctx)
				assert.True(t, ok)
				outcomes <- outcome
				return nil
			})
			if r.URL.Path == "/panics" {
				panic("no answer")
			}
			render.Status(r, http.StatusTeapot)
			render.PlainText(w, r, "teapot")
		})
		s := servertest.Start(t, p, site)
		bhGet(t, s, "/teapot")
		assert.Equal(t, http.StatusTeapot, bhReceive(t, outcomes, "the callback").Status)
		s.Client.CloseIdleConnections() // a client tries again where a kept connection fails
		_, _, err := s.Get(t.Context(), "/panics")
		assert.Error(t, err)
		outcome := bhReceive(t, outcomes, "the callback after a panic")
		assert.True(t, outcome.Panicked)
		assert.True(t, outcome.Failed())
	})
}

func TestWhatCannotBeCalledIsRefusedWhenItIsAdded(t *testing.T) {
	site := bhNewSite(bgtasks.Config{})
	var unbound func(context.Context, int) error
	site.Get("/", func(w http.ResponseWriter, r *http.Request) {
		err := errors.Join(
			bgtasks.Add(r.Context(), "nil", nil),
			bgtasks.Add(r.Context(), "bound nil", bgtasks.Bind(unbound, 1)),
		)
		render.Status(r, http.StatusInternalServerError)
		render.PlainText(w, r, err.Error())
	})
	res, body := bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/")
	assert.Equal(t, http.StatusInternalServerError, res.StatusCode)
	assert.Regexp(t, `(?s)nil.*\n.*bound nil`, body)
	bhWait(t, site.run)
	assert.Equal(t, bgtasks.Stats{Refused: 2}, site.run.Stats())
}
