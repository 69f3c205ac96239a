package chimw_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A readFromSpy notes what its ReadFrom is given.
type readFromSpy struct {
	*spy
	sources []io.Reader
}

func (s *readFromSpy) ReadFrom(r io.Reader) (int64, error) {
	s.sources = append(s.sources, r)
	return io.Copy(s.Body, r)
}

func openLarge(t *testing.T) *os.File {
	name := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(name, []byte(strings.Repeat("0123456789", 30_000)), 0o600))
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestFileItselfReachesTheOriginalReadFrom(t *testing.T) {
	f := openLarge(t)
	original := &readFromSpy{spy: newSpy()}
	passOn(t, original, func(w http.ResponseWriter) {
		n, err := w.(io.ReaderFrom).ReadFrom(f)
		assert.NoError(t, err)
		assert.EqualValues(t, 300_000, n)
	})
	require.Len(t, original.sources, 1)
	require.Same(t, f, original.sources[0])
	require.Equal(t, 300_000, original.Body.Len())
}

func TestLimitedFileReachesTheOriginalReadFrom(t *testing.T) {
	f := openLarge(t)
	original := &readFromSpy{spy: newSpy()}
	passOn(t, original, func(w http.ResponseWriter) {
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		assert.NoError(t, err)
		r.Header.Set("Range", "bytes=100-199")
		http.ServeContent(w, r, "large.txt", time.Time{}, f)
	})
	require.Len(t, original.sources, 1)
	limited, ok := original.sources[0].(*io.LimitedReader)
	require.True(t, ok, "%T", original.sources[0])
	require.Same(t, f, limited.R)
}

// A sendfileConn notes what the server hands to the connection's ReadFrom, which is what makes
// a *net.TCPConn use sendfile.
type sendfileConn struct {
	net.Conn
	seen *sources
}

type sources struct {
	mu    sync.Mutex
	types []string
}

func (s *sources) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.types
}

func (c sendfileConn) ReadFrom(r io.Reader) (int64, error) {
	name := fmt.Sprintf("%T", r)
	if limited, ok := r.(*io.LimitedReader); ok {
		name += fmt.Sprintf(" of %T", limited.R)
	}
	c.seen.mu.Lock()
	c.seen.types = append(c.seen.types, name)
	c.seen.mu.Unlock()
	return io.Copy(c.Conn, r)
}

func TestFilesAndConnectionsAreSentByTheConnectionItself(t *testing.T) {
	f := openLarge(t)
	upstream := feed(t, f.Name())
	serve := map[string]http.HandlerFunc{
		"ServeFile": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, f.Name()) },
		"io.Copy": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "300000")
			withFile(f.Name(), func(f *os.File) { _, _ = io.Copy(w, f) })
		},
		"io.CopyN": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "300000")
			withFile(f.Name(), func(f *os.File) { _, _ = io.CopyN(w, f, 300_000) })
		},
		"io.Copy of a connection": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "300000")
			conn, err := net.Dial("tcp", upstream)
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			_, _ = io.Copy(w, conn)
		},
	}
	for name, h := range serve {
		t.Run(name, func(t *testing.T) {
			want := sourcesSeen(t, h)
			require.Len(t, want, 1)
			require.Regexp(t, `os\.[fF]ile|tcpConn`, want[0], "the kinds that net passes to the kernel")
			for _, pr := range shapes.Presences {
				g := shapes.NewGuise(pr)
				require.Equal(t, want, sourcesSeen(t, h, g.Middleware()...), pr.Name)
				g.Release(t)
				g.RequireTasks(t)
			}
		})
	}
	t.Run("control: a writer that hides ReadFrom", func(t *testing.T) {
		hide := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(unwrapper{w}, r) })
		}
		require.Empty(t, sourcesSeen(t, serve["ServeFile"], hide))
	})
}

// withFile opens it anew: the client has all of a response before its handler is done with
// reading.
func withFile(name string, use func(*os.File)) {
	f, err := os.Open(name)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	use(f)
}

// feed sends the file to whoever connects.
func feed(t *testing.T, file string) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write(content)
			_ = conn.Close()
		}
	}()
	return ln.Addr().String()
}

func sourcesSeen(t *testing.T, h http.HandlerFunc, mws ...func(http.Handler) http.Handler) []string {
	var seen sources
	r := chi.NewRouter()
	r.Use(mws...)
	r.Get("/", h)
	s := servertest.Start(t, servertest.HTTP1, r,
		servertest.WrapConn(func(c net.Conn) net.Conn { return sendfileConn{c, &seen} }))
	res, body, err := s.Get(t.Context(), "/")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Len(t, body, 300_000)
	return seen.all()
}
