package chimw_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var bhHijackable = []servertest.Protocol{servertest.HTTP1, servertest.HTTP1TLS}

func TestHijackedConnectionRunsTheListWhenTheHandlerReturns(t *testing.T) {
	for _, p := range bhHijackable {
		t.Run(p.Name, func(t *testing.T) {
			site, outcomes := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Outcome, 1)
			site.Get("/", func(w http.ResponseWriter, r *http.Request) {
				bhAdd(t, r.Context(), "after", bhTellOutcome(outcomes))
				conn, _, err := http.NewResponseController(w).Hijack()
				if !assert.NoError(t, err) {
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, "raw bytes")
				assert.Empty(t, outcomes, "the handler is at work")
			})
			s := servertest.Start(t, p, site)
			conn := bhDial(t, s, p)
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, err)
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			assert.Equal(t, "raw bytes", string(got))
			assert.True(t, bhReceive(t, outcomes, "the task").Hijacked)
		})
	}
}

// bhTellOutcome is a task that tells its request's outcome.
func bhTellOutcome(tell chan<- bgtasks.Outcome) bgtasks.Func {
	return func(ctx context.Context) error {
		outcome, ok := bgtasks.OutcomeFrom(ctx)
		if ok {
			tell <- outcome
		}
		return nil
	}
}

// The upgrade of RFC 6455 and nothing else of it: an echo of raw bytes.
func TestUpgradedConnectionRunsTheListWhenItsConversationIsOver(t *testing.T) {
	for _, p := range bhHijackable {
		t.Run(p.Name, func(t *testing.T) {
			site, outcomes := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Outcome, 1)
			site.Get("/socket", func(w http.ResponseWriter, r *http.Request) {
				bhAdd(t, r.Context(), "after", bhTellOutcome(outcomes))
				bhEcho(t, w, r)
			})
			s := servertest.Start(t, p, site)
			conn := bhDial(t, s, p)
			_, err := io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			require.NoError(t, err)
			in := bufio.NewReader(conn)
			res, err := http.ReadResponse(in, nil)
			require.NoError(t, err)
			assert.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
			assert.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", res.Header.Get("Sec-WebSocket-Accept"))
			for range 3 {
				_, err = io.WriteString(conn, "hello\n")
				require.NoError(t, err)
				line, err := in.ReadString('\n')
				require.NoError(t, err)
				assert.Equal(t, "hello\n", line)
				assert.Empty(t, outcomes, "the conversation goes on")
			}
			require.NoError(t, conn.Close())
			assert.True(t, bhReceive(t, outcomes, "the task").Hijacked)
		})
	}
}

func bhEcho(t *testing.T, w http.ResponseWriter, r *http.Request) {
	conn, rw, err := w.(http.Hijacker).Hijack()
	if !assert.NoError(t, err) {
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Accept: "+base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, line)
	}
}

func TestConnectionThatOutlivesItsHandlerDoesNotHoldTheList(t *testing.T) {
	site, outcomes := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Outcome, 1)
	site.Get("/", func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "after", bhTellOutcome(outcomes))
		conn, _, err := http.NewResponseController(w).Hijack()
		if assert.NoError(t, err) {
			t.Cleanup(func() { _ = conn.Close() })
		}
	})
	s := servertest.Start(t, servertest.HTTP1, site)
	_, err := io.WriteString(bhDial(t, s, servertest.HTTP1), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	assert.True(t, bhReceive(t, outcomes, "the task").Hijacked)
}

func TestConnectionHijackedFurtherOutDoesNotHoldTheList(t *testing.T) {
	for _, p := range bhHijackable {
		t.Run(p.Name, func(t *testing.T) {
			site, outcomes := bhNewSite(bgtasks.Config{SendTimeout: -1}), make(chan bgtasks.Outcome, 1)
			site.Get("/", func(_ http.ResponseWriter, r *http.Request) {
				bhAdd(t, r.Context(), "after", bhTellOutcome(outcomes))
			})
			s := servertest.Start(t, p, bhHijacking(t, site))
			conn := bhDial(t, s, p)
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, err)
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			assert.Equal(t, "raw bytes", string(got))
			bhReceive(t, outcomes, "the task")
		})
	}
}

// bhHijacking answers on the connection itself, and then calls next.
func bhHijacking(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "raw bytes")
		next.ServeHTTP(w, r)
	})
}
