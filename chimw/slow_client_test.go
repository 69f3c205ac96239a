package chimw_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const largeSize = 48 << 20

// slowlyUntil reads a bit every now and then, and the rest once done is closed.
func slowlyUntil(done <-chan struct{}, body io.Reader) (n int64, err error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			rest, err := io.Copy(io.Discard, body)
			return n + rest, err
		case <-ticker.C:
			bit, err := io.CopyN(io.Discard, body, 64<<10)
			n += bit
			if err != nil {
				return n, err
			}
		}
	}
}

// sparseFile is a file of size bytes.
func sparseFile(t *testing.T, size int64) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	require.NoError(t, os.Truncate(name, size))
	return name
}

// slowAnswers are ways of sending largeSize bytes.
func slowAnswers(t *testing.T) map[string]http.HandlerFunc {
	const chunk = 32 << 10
	file, piece := sparseFile(t, largeSize), make([]byte, chunk)
	return map[string]http.HandlerFunc{
		"ServeContent": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) },
		"chunks": func(w http.ResponseWriter, _ *http.Request) {
			for range largeSize / chunk {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		},
	}
}

// The slow client goes on for as long as it takes the other, which does not read at all, to be
// found out, with the same limit: by then it has been under way for longer than the limit.
func TestSlowClientIsNotTakenForOneThatDoesNotRead(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	answers := slowAnswers(t)
	protocols := servertest.Protocols
	if testing.Short() {
		protocols = []servertest.Protocol{servertest.HTTP1, servertest.HTTP2}
	}
	for _, p := range protocols {
		for name, answer := range answers {
			// They wait more than they work: all at once, whatever -parallel says.
			wg.Go(func() {
				t.Run(p.Name+" "+name, func(t *testing.T) { readSlowlyBesideAStalledClient(t, p, answer) })
			})
		}
	}
}

func readSlowlyBesideAStalledClient(t *testing.T, p servertest.Protocol, answer http.HandlerFunc) {
	slow, stalled := newWaitingList(2*time.Second), newWaitingList(2*time.Second)
	r := chi.NewRouter()
	slow.route(t, r, "/slow", answer)
	stalled.route(t, r, "/stalled", answer)
	s := servertest.Start(t, p, r)
	res := open(t, s, "/slow")
	open(t, s, "/stalled")
	done := make(chan struct{})
	go func() {
		defer close(done)
		stalled.assertStartedUnsent(t, "/stalled")
	}()
	n, err := slowlyUntil(done, res.Body)
	require.NoError(t, err)
	assert.EqualValues(t, largeSize, n)
	o := awaitSignal(t, slow.outcomes)
	assert.True(t, o.Sent)
	assert.EqualValues(t, largeSize, o.Bytes)
	assert.Empty(t, slow.book.mentioning(""))
}

// A positionless connection sends files as systems other than Linux do: their position moves at the end only.
type positionless struct{ net.Conn }

func (c positionless) ReadFrom(src io.Reader) (n int64, err error) {
	limited := src.(*io.LimitedReader)
	file := limited.R.(*os.File)
	for piece := make([]byte, 4<<10); n < limited.N; {
		size, err := file.ReadAt(piece[:min(int64(len(piece)), limited.N-n)], n)
		if err != nil {
			return n, err
		}
		if _, err := c.Write(piece[:size]); err != nil {
			return n, err
		}
		n += int64(size)
		<-time.After(20 * time.Millisecond) // a slow client
	}
	_, err = file.Seek(n, io.SeekCurrent)
	limited.N = 0
	return n, err
}

// Not parallel, as it is about all servers.
func TestFileWhosePositionDoesNotTellIsNotTakenForStuck(t *testing.T) {
	defer chimw.WithoutPositions()()
	const size = 200 << 10
	file := sparseFile(t, size)
	site, ran := bhNewSite(bgtasks.Config{SendTimeout: 100 * time.Millisecond}), make(chan bgtasks.Outcome, 1)
	site.Get("/", func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "look", func(ctx context.Context) error {
			o, _ := bgtasks.OutcomeFrom(ctx)
			ran <- o
			return nil
		})
		http.ServeFile(w, r, file)
	})
	s := servertest.Start(t, servertest.HTTP1, site, servertest.WrapConn(func(c net.Conn) net.Conn { return positionless{c} }))
	_, body := bhGet(t, s, "/")
	assert.Len(t, body, size)
	assert.True(t, bhReceive(t, ran, "the task").Sent)
}
