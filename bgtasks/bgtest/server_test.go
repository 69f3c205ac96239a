package bgtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtest"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// eachServer runs a test with both kinds of server.
func eachServer(t *testing.T, test func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server)) {
	t.Helper()
	for name, newServer := range map[string]func(*bgtest.Kit, http.Handler, func(*http.Server)) *httptest.Server{
		"HTTP1": (*bgtest.Kit).NewServer,
		"HTTP2": (*bgtest.Kit).NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(k *bgtest.Kit, h http.Handler) *httptest.Server { return newServer(k, h, chimw.Attach) })
		})
	}
}

// get returns the response's status and body.
func get(t *testing.T, srv *httptest.Server) (*http.Response, string) {
	t.Helper()
	res, err := srv.Client().Get(srv.URL + "/orders/7")
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

// connect makes a connection beforehand, as that takes its time on a busy machine.
func connect(t *testing.T, srv *httptest.Server) {
	t.Helper()
	res, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	res.Body.Close()
}

func TestAServersClientReturnsWhenTheTasksHaveEnded(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		k := bgtest.New(t, bgtasks.Config{})
		var done int // without a lock, for the race detector
		srv := start(k, app(k.Runner, func(w http.ResponseWriter, r *http.Request) {
			_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
				outcome, _ := bgtasks.OutcomeFrom(ctx)
				assert.True(t, outcome.Sent, "the server is attached")
				done++
				return nil
			})
			_, _ = io.WriteString(w, r.Proto)
		}))
		for i := range 20 {
			res, body := get(t, srv)
			require.Equal(t, i+1, done)
			assert.Equal(t, res.Proto, body)
		}
		if strings.HasPrefix(srv.URL, "https") {
			assert.GreaterOrEqual(t, k.Tasks()[0].Wait, 4*time.Millisecond, "the settling time of HTTP/2, as in production")
		}
	})
}

func TestTheProtocolsAreWhatTheySay(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	res, _ := get(t, k.NewServer(adding(k.Runner), chimw.Attach))
	assert.Equal(t, "HTTP/1.1", res.Proto)
	res, _ = get(t, k.NewTLSServer(adding(k.Runner), chimw.Attach))
	assert.Equal(t, "HTTP/2.0", res.Proto)
}

func TestATaskAddedAfterTheWholeResponseIsWaitedFor(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		k := bgtest.New(t, bgtasks.Config{})
		srv := start(k, app(k.Runner, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4")
			_, _ = io.WriteString(w, "done")
			_ = http.NewResponseController(w).Flush()
			<-time.After(20 * time.Millisecond) // the client has it all
			_ = bgtasks.Add(r.Context(), "late", nothing)
		}))
		_, body := get(t, srv)
		assert.Equal(t, "done", body)
		k.WantRan("late")
	})
}

func TestTasksBehindAServerThatDoNotEndFailTheTestByName(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			srv := start(k, adding(k.Runner, add("send mail", forever)))
			connect(t, srv)
			k.Deadline = time.Second
			_, err := srv.Client().Get(srv.URL + "/orders/7")
			assert.ErrorContains(t, err, `task "send mail" of GET /orders/{id} has been running`)
		})
		require.Len(t, got.errors, 1)
		assert.Contains(t, got.text(), `task "send mail" of GET /orders/{id} has been running`)
	})
}

func TestAResponseWithoutEndFailsTheTest(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			srv := start(k, app(k.Runner, func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}))
			connect(t, srv)
			k.Deadline = time.Second
			_, err := srv.Client().Get(srv.URL + "/orders/7")
			assert.ErrorContains(t, err, "the handler of GET /orders/7 has not returned")
		})
		assert.Contains(t, got.text(), "the handler of GET /orders/7 has not returned")
	})
}

func TestOlderRequestsThatGoOnAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		k := bgtest.New(t, bgtasks.Config{})
		srv := start(k, app(k.Runner, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") != "text/event-stream" {
				_ = bgtasks.Add(r.Context(), "task", nothing)
				return
			}
			_, _ = io.WriteString(w, "data: open\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			_ = bgtasks.Add(r.Context(), "closed", nothing)
		}))
		own := &http.Client{Transport: srv.Client().Transport.(interface{ Clone() *http.Transport }).Clone()}
		defer own.CloseIdleConnections()
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/orders/7", nil)
		req.Header.Set("Accept", "text/event-stream")
		events, err := own.Do(req)
		require.NoError(t, err)
		defer events.Body.Close()
		line, err := bufio.NewReader(events.Body).ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, "data: open\n", line)

		get(t, srv)
		k.WantRan("task")
		leave()
		k.Wait()
		k.WantRan("task", "closed")
	})
}

func TestAHoldBehindAServer(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		k := bgtest.New(t, bgtasks.Config{})
		srv := start(k, adding(k.Runner, add("log", nothing), add("mail", nothing)))
		k.Hold()
		_, body := get(t, srv)
		assert.Equal(t, "done", body)
		assert.Equal(t, []string{"log", "mail"}, k.Names(bgtasks.Accepted))
		assert.Equal(t, "log", k.Next())
		assert.Equal(t, "mail", k.Next())
	})
}

func TestAFailedResponseIsWaitedForAsWell(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		k := bgtest.New(t, bgtasks.Config{})
		srv := start(k, app(k.Runner, func(w http.ResponseWriter, r *http.Request) {
			_ = bgtasks.Add(r.Context(), "audit", nothing)
			if r.Method == http.MethodPost {
				w.Header().Set("Content-Length", "8")
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
			}
			panic(http.ErrAbortHandler)
		}))
		_, err := srv.Client().Head(srv.URL + "/orders/7")
		assert.Error(t, err)
		assert.NotEmpty(t, k.Ran()) // an HTTP/1.1 client tries again
		for _, e := range k.Tasks() {
			assert.Equal(t, bgtasks.Finished, e.Kind)
		}

		before := len(k.Ran())
		res, err := srv.Client().Post(srv.URL+"/orders/7", "", strings.NewReader("order"))
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		assert.Equal(t, "half", string(body))
		assert.Error(t, err)
		assert.Len(t, k.Ran(), before+1)
	})
}

func TestAClientThatGivesUp(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		k := bgtest.New(t, bgtasks.Config{})
		ctx, giveUp := context.WithCancel(t.Context())
		srv := start(k, app(k.Runner, func(_ http.ResponseWriter, r *http.Request) {
			_ = bgtasks.Add(r.Context(), "audit", nothing)
			giveUp()
			<-r.Context().Done()
		}))
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/orders/7", nil)
		_, err := srv.Client().Do(req)
		assert.ErrorIs(t, err, context.Canceled)
		k.WantRan("audit")
	})
}

func TestTrailersComeThrough(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		k := bgtest.New(t, bgtasks.Config{})
		srv := start(k, app(k.Runner, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Checksum")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("Checksum", "42")
		}))
		res, body := get(t, srv)
		assert.Equal(t, "body", body)
		assert.Equal(t, "42", res.Trailer.Get("Checksum"))
	})
}

func TestAnUpgradedConnectionIsTheCallers(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	srv := k.NewServer(app(k.Runner, func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "hang up", nothing)
		c, rw, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(c, line)
	}), chimw.Attach)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/orders/7", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	res, err := srv.Client().Do(req)
	require.NoError(t, err)
	conn := res.Body.(io.ReadWriteCloser)
	defer conn.Close()
	_, err = io.WriteString(conn, "hello\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "hello\n", line)
	k.Wait()
	k.WantRan("hang up")
}

func TestRequestsAtTheSameTimeToAServer(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, start func(*bgtest.Kit, http.Handler) *httptest.Server) {
		k := bgtest.New(t, bgtasks.Config{})
		var done [8]atomic.Int64
		srv := start(k, app(k.Runner, func(_ http.ResponseWriter, r *http.Request) {
			i, _ := strconv.Atoi(r.URL.Query().Get("i"))
			_ = bgtasks.Add(r.Context(), "task", func(context.Context) error { done[i].Add(1); return nil })
		}))
		var clients sync.WaitGroup
		for i := range done {
			clients.Go(func() {
				for n := range int64(10) {
					res, err := srv.Client().Get(fmt.Sprintf("%s/orders/7?i=%d", srv.URL, i))
					if assert.NoError(t, err) {
						res.Body.Close()
					}
					assert.Equal(t, n+1, done[i].Load())
				}
			})
		}
		clients.Wait()
	})
}

func TestAServerThatIsNotAttachedWarnsInTheTestsLog(t *testing.T) {
	t.Parallel()
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		srv := k.NewServer(adding(k.Runner, add("task", nothing)), nil)
		get(t, srv)
		k.WantRan("task")
	})
	assert.Empty(t, got.text())
	assert.Contains(t, got.logged(), "chimw: this server is not attached")
}

func TestAServerStopsWithTheTest(t *testing.T) {
	t.Parallel()
	var client *http.Client
	var url string
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		srv := k.NewServer(adding(k.Runner, add("task", nothing)), chimw.Attach)
		get(t, srv)
		client, url = &http.Client{Transport: &http.Transport{}}, srv.URL
	})
	assert.Empty(t, got.text())
	assert.NotContains(t, got.logged(), "not attached")
	_, err := client.Get(url)
	assert.Error(t, err)
	assert.False(t, errors.Is(err, context.DeadlineExceeded))
}
