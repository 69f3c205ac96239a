//go:build !race

package chimw_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
)

// These show that the tests beside them would notice: the same work in a plain goroutine, on
// the same routes, fails.

// A plainProbe does what an identityProbe does, with a goroutine instead of a task.
type plainProbe struct {
	identityProbe
	wg sync.WaitGroup
}

func (p *plainProbe) handler(w http.ResponseWriter, r *http.Request) {
	i, _ := strconv.Atoi(r.Header.Get("X-Number"))
	ctx := context.WithoutCancel(r.Context())
	p.wg.Go(func() {
		linger(time.Duration(1000+i%1000) * time.Microsecond)
		p.compare("WithoutCancel", identityOf(i), readAnyhow(ctx))
		p.compare("the captured request", identityOf(i), readAnyhow(r.Context()))
	})
	noContent(w, r)
}

// readAnyhow survives what a route context that changes meanwhile can do to its reader.
func readAnyhow(ctx context.Context) (id identity) {
	defer func() { _ = recover() }()
	return identityIn(ctx)
}

func TestPlainGoroutineReadsOtherRequests(t *testing.T) {
	n := sized(4000, 800)
	asIs := func(next http.Handler) http.Handler { return next }
	probe := &plainProbe{}
	s := servertest.Start(t, servertest.HTTP1, placements[0].router(asIs, probe.handler))
	identifyAll(t, s, n, http.StatusNoContent)
	probe.wg.Wait()
	t.Logf("%d of %d readings were wrong: %s", probe.wrong, probe.readings, probe.example)
	assert.Equal(t, 2*n, probe.readings)
	assert.Greater(t, probe.wrong, n)
}

// plainWriters has the routes of lateWriters, with goroutines instead of tasks.
func plainWriters(wg *sync.WaitGroup) http.Handler {
	r := chi.NewRouter()
	r.Get("/plain/{i}", func(w http.ResponseWriter, r *http.Request) { answer(w, r, number(r)) })
	r.Get("/late/{i}", func(w http.ResponseWriter, r *http.Request) {
		i := number(r)
		wg.Go(func() {
			defer func() { _ = recover() }() // late writes can panic, too
			linger(time.Duration(i%8) * 100 * time.Microsecond)
			for range 2 {
				_, _ = w.Write([]byte(foreign))
			}
		})
		answer(w, r, i)
	})
	return r
}

// readRaw sends one request on a connection of its own and returns all that comes back. (An
// http.Client would complain on the standard logger about what it gets to see here.)
func readRaw(addr, path string) ([]byte, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hangLimit))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", path)
	return io.ReadAll(conn)
}

func TestPlainGoroutineWritesIntoOtherResponses(t *testing.T) {
	var wg sync.WaitGroup
	var found atomic.Int64
	s := servertest.Start(t, servertest.HTTP1, plainWriters(&wg))
	routes := []string{"plain", "late"}
	sent := 0
	for deadline := time.Now().Add(hangLimit); found.Load() == 0 && time.Now().Before(deadline); sent += 4000 {
		spread(8, 4000, func(i int) {
			raw, _ := readRaw(s.Addr, fmt.Sprintf("/%s/%d", routes[i%2], i/2))
			if i%2 == 0 && bytes.Contains(raw, []byte(foreign)) {
				found.Add(1)
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d responses of the other route carried foreign bytes", found.Load(), sent/2)
	assert.Positive(t, found.Load())
}
