package chimw_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/stretchr/testify/require"
)

// hangLimit turns a hang into a failure; nothing that works comes near it.
const hangLimit = 30 * time.Second

// sized returns n, or few under -short.
func sized(n, few int) int {
	if testing.Short() {
		return few
	}
	return n
}

// spread calls do with 0 to n-1, from so many workers at once.
func spread(workers, n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// awaitIdle waits until every task that run has accepted has ended.
func awaitIdle(t *testing.T, run *bgtasks.Runner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangLimit)
	defer cancel()
	require.NoError(t, run.Wait(ctx))
}

// awaitAccepted waits until the server has taken up all connections that were made before: one
// whose client has gone already may still be in line, with requests in it. They are taken up in
// their order.
func awaitAccepted(t *testing.T, s *servertest.Server) {
	t.Helper()
	s.Client.CloseIdleConnections() // not one from before
	_, _, err := s.Get(t.Context(), "/none")
	require.NoError(t, err)
	s.Client.CloseIdleConnections()
}

// linger takes d, as work does.
func linger(d time.Duration) { <-time.After(d) }

// A rudeLoad sends requests over plain sockets and loses patience at random: its connections
// are closed before, in the midst of, and after a response.
type rudeLoad struct {
	addr string
	path func(i int) string
	sent atomic.Int64
	read atomic.Int64 // whole responses
}

// run sends total requests over so many connections at once; it ends early when nobody
// listens any more.
func (l *rudeLoad) run(connections, total int) {
	var wg sync.WaitGroup
	for worker := range connections {
		dice := rand.New(rand.NewPCG(uint64(worker), 4))
		wg.Go(func() {
			for l.sent.Load() < int64(total) && l.converse(dice) == nil {
			}
		})
	}
	wg.Wait()
}

// converse sends a few requests over one connection; the error is that of the dial.
func (l *rudeLoad) converse(dice *rand.Rand) error {
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if dice.IntN(2) == 0 {
		_ = conn.(*net.TCPConn).SetLinger(0) // close with a reset
	}
	_ = conn.SetDeadline(time.Now().Add(hangLimit))
	for in := bufio.NewReaderSize(conn, 2<<10); dice.IntN(16) != 0; {
		if !l.exchange(conn, in, dice) {
			break
		}
	}
	return nil
}

// exchange sends one to three requests at once and reads their responses, if it has the
// patience: it reports whether it had, and the connection is still good.
func (l *rudeLoad) exchange(conn net.Conn, in *bufio.Reader, dice *rand.Rand) bool {
	pipelined := 1 + dice.IntN(3)
	var requests []byte
	for range pipelined {
		requests = fmt.Appendf(requests, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", l.path(int(l.sent.Add(1))))
	}
	if _, err := conn.Write(requests); err != nil {
		return false
	}
	for range pipelined {
		switch dice.IntN(40) {
		case 0:
			return false
		case 1:
			_, _ = in.ReadByte()
			return false
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return false
		}
		if _, err = io.Copy(io.Discard, res.Body); err != nil || res.Close {
			return false
		}
		l.read.Add(1)
	}
	return true
}

// politeLoad has workers send requests to s until ctx ends. Some fail, as handlers that panic
// close the connection.
func politeLoad(ctx context.Context, s *servertest.Server, workers int, path func(i int) string) {
	var sent atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := s.Get(ctx, path(int(sent.Add(1)))); err != nil {
					linger(5 * time.Millisecond) // or it would do nothing but dial a server that is gone
				}
			}
		})
	}
	wg.Wait()
}
