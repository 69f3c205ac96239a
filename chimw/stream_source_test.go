package chimw_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// streamed is how much a source yields altogether.
const streamed = 256 << 10

// A supply writes streamed bytes, of which the last come when done is closed.
type supply func(t *testing.T, to io.WriteCloser, done <-chan struct{})

// steadily writes a bit every now and then.
func steadily(t *testing.T, to io.WriteCloser, done <-chan struct{}) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	bit, left := make([]byte, 512), streamed
	for left > streamed/2 {
		_, err := to.Write(bit)
		assert.NoError(t, err)
		left -= len(bit)
		select {
		case <-done:
			complete(t, to, left)
			return
		case <-ticker.C:
		}
	}
	<-done
	complete(t, to, left)
}

// silently writes a bit and then nothing.
func silently(t *testing.T, to io.WriteCloser, done <-chan struct{}) {
	n, err := to.Write(make([]byte, 512))
	assert.NoError(t, err)
	<-done
	complete(t, to, streamed-n)
}

func complete(t *testing.T, to io.WriteCloser, left int) {
	_, err := to.Write(make([]byte, left))
	assert.NoError(t, err)
	assert.NoError(t, to.Close())
}

// pipes are ways to get from a supply to a handler's io.Copy, which net/http treats
// differently.
var pipes = map[string]func(*testing.T) (io.ReadCloser, io.WriteCloser){
	"io.Pipe": func(*testing.T) (io.ReadCloser, io.WriteCloser) { return io.Pipe() },
	"os.Pipe": func(t *testing.T) (io.ReadCloser, io.WriteCloser) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		return r, w
	},
	"connection": tcpPipe,
}

func tcpPipe(t *testing.T) (io.ReadCloser, io.WriteCloser) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	from, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	to, err := ln.Accept()
	require.NoError(t, err)
	return from, to
}

// The source goes on for as long as it takes a client that does not read to be found out, with
// a longer limit.
func TestStreamWhoseSourceTakesItsTimeIsNotTakenForStuck(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP2} {
		for kind, pipe := range pipes {
			for name, feed := range map[string]supply{"steady": steadily, "silent": silently} {
				// They wait more than they work: all at once, whatever -parallel says.
				wg.Go(func() {
					t.Run(p.Name+" "+kind+" "+name, func(t *testing.T) {
						from, to := pipe(t)
						copyBesideAStalledClient(t, p, from, func(done <-chan struct{}) { feed(t, to, done) })
					})
				})
			}
		}
	}
}

func copyBesideAStalledClient(t *testing.T, p servertest.Protocol, from io.ReadCloser, feed func(done <-chan struct{})) {
	copied, stalled := newWaitingList(500*time.Millisecond), newWaitingList(1200*time.Millisecond)
	r := chi.NewRouter()
	copied.route(t, r, "/copied", func(w http.ResponseWriter, _ *http.Request) {
		defer from.Close()
		w.Header().Set("Content-Length", strconv.Itoa(streamed))
		assert.NoError(t, http.NewResponseController(w).Flush())
		_, err := io.Copy(w, from)
		assert.NoError(t, err)
	})
	stalled.route(t, r, "/stalled", func(w http.ResponseWriter, r *http.Request) { render.Data(w, r, huge()) })
	s := servertest.Start(t, p, r)

	var feeding sync.WaitGroup
	defer feeding.Wait()
	defer from.Close()
	done := make(chan struct{})
	finish := sync.OnceFunc(func() { close(done) })
	defer finish()
	feeding.Go(func() { feed(done) })
	received := make(chan int64, 1)
	res := open(t, s, "/copied")
	go func() {
		n, _ := io.Copy(io.Discard, res.Body)
		received <- n
	}()
	open(t, s, "/stalled")
	stalled.assertStartedUnsent(t, "/stalled")
	assert.Empty(t, copied.outcomes)
	finish()
	assert.EqualValues(t, streamed, awaitSignal(t, received))
	o := awaitSignal(t, copied.outcomes)
	assert.True(t, o.Sent)
	assert.EqualValues(t, streamed, o.Bytes)
	assert.Empty(t, copied.book.mentioning(""))
}
