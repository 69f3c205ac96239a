package chimw_test

import (
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bhKeptConn is a connection whose memory is watched.
type bhKeptConn struct {
	net.Conn
	_ [16]byte
}

// bhKept counts those that something still refers to.
func bhKept(conns []weak.Pointer[bhKeptConn]) (kept int) {
	runtime.GC()
	for _, conn := range conns {
		if conn.Value() != nil {
			kept++
		}
	}
	return kept
}

func TestClosedConnectionsAreLetGo(t *testing.T) {
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP2} {
		t.Run(p.Name, func(t *testing.T) { bhLetGo(t, p) })
	}
}

func bhLetGo(t *testing.T, p servertest.Protocol) {
	site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
	site.Get("/{n}", bhNoting(t, steps))
	var mu sync.Mutex
	var conns []weak.Pointer[bhKeptConn]
	s := servertest.Start(t, p, site, servertest.WrapConn(func(c net.Conn) net.Conn {
		kept := &bhKeptConn{Conn: c}
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, weak.Make(kept))
		return kept
	}))
	for range 5 {
		bhGet(t, s, "/1")
		s.Client.CloseIdleConnections()
	}
	bhWait(t, site.run)
	require.NoError(t, s.HTTP.Close())
	require.GreaterOrEqual(t, len(conns), 5, "a client may open one more than it needs")
	require.Eventually(t, func() bool { return bhKept(conns) == 0 }, bhPatience, 10*time.Millisecond)
}

// The hooks are called as net/http does, for more connections than a test can open.
func TestConnectionsWhoseStateIsNeverHeardOfDoNotPileUp(t *testing.T) {
	srv := &http.Server{}
	chimw.Attach(srv)
	srv.ConnState = nil // assigned by somebody, after Attach
	var conns []weak.Pointer[bhKeptConn]
	for range 20_000 {
		conn := &bhKeptConn{}
		conns = append(conns, weak.Make(conn))
		srv.ConnContext(t.Context(), conn)
	}
	assert.Less(t, bhKept(conns), len(conns)/4)
}
