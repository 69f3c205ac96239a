package compat_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/script"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/stretchr/testify/require"
)

// TestAnyUseOfTheWriterGivesTheSameFrames has handlers do random things to their responses;
// a failure tells the seed.
func TestAnyUseOfTheWriterGivesTheSameFrames(t *testing.T) {
	n := uint64(500)
	if testing.Short() {
		n = 50
	}
	p := newFramePairs(t)
	for seed := range n {
		p.compare(t, fmt.Sprint("seed ", seed), script.Random(seed))
	}
}

// FuzzAnyUseOfTheWriterGivesTheSameFrames is the same for any bytes.
func FuzzAnyUseOfTheWriterGivesTheSameFrames(f *testing.F) {
	p := newFramePairs(f)
	for step := range script.Steps {
		f.Add([]byte{1, 0, byte(step), 3, 40, 7, byte(step), 0, 9, 9})
	}
	f.Fuzz(func(t *testing.T, data []byte) { p.compare(t, "fuzz", data[:min(len(data), 500)]) })
}

// framePairs are two servers for each of ways, which play the script of each request.
type framePairs struct {
	*script.Sites
	pairs []framePair
}

type framePair struct {
	way
	without, with *servertest.Server
}

func newFramePairs(t testing.TB) *framePairs {
	p := &framePairs{Sites: script.NewSites()}
	for _, w := range ways {
		p.pairs = append(p.pairs, framePair{
			way:     w,
			without: w.start(t, awaitingBody(p.Without), servertest.Unattached()),
			with:    w.start(t, awaitingBody(p.With)),
		})
	}
	return p
}

// awaitingBody reads one byte of the request's body before h does anything: then all of it, one
// frame, has arrived. How a server answers a body that comes when it is no longer wanted depends
// on when it comes.
func awaitingBody(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 0 {
			_, _ = io.ReadFull(r.Body, make([]byte, 1))
		}
		h.ServeHTTP(w, r)
	})
}

// attempts at finding an answer that both give. One server alone does not always give the same one:
// where the script has it close the connection, GOAWAY and what else is written then are in no
// order, and neither are PUSH_PROMISEs among each other.
const attempts = 20

// compare sends the script's request and then another to both servers of a pair: the frames are
// to be the same ones once decoded, with the same flags, their header fields in the same order and
// the same boundaries of DATA. What client leaves out is left out: see there. HTTP/2 in
// cleartext has most of the scripts, as handshakes are slow.
func (p *framePairs) compare(t *testing.T, label string, s script.Script) {
	pair := p.pairs[[]int{0, 1, 1, 1, 1, 1, 1, 2}[s.Of(8)]]
	method, body := s.Request()
	shape := shapes.Shape{Method: method, Path: script.Path, Body: body, Header: map[string]string{script.Header: fmt.Sprintf("%x", []byte(s))}}
	without, with := map[string]bool{}, map[string]bool{}
	for range attempts {
		want, got := pair.play(t, pair.without, shape), pair.play(t, pair.with, shape)
		without[want], with[got] = true, true
		if with[want] || without[got] {
			p.RequireRefused(t)
			return
		}
	}
	require.Fail(t, "frames differ", "%s: %s, %s %x\nwithout: %v\nwith: %v", label, pair.name, method, []byte(s),
		slices.Collect(maps.Keys(without)), slices.Collect(maps.Keys(with)))
}

// play returns the frames of each stream. A server that goes away may have answered the second
// request or not. Where among its stream's frames a PUSH_PROMISE is depends on the server's
// goroutines, so they come first here.
func (p framePair) play(t *testing.T, s *servertest.Server, shape shapes.Shape) string {
	c := dial(t, p.protocol, s)
	defer c.conn.Close()
	log := c.exchange(shape, p.scheme, "a.test")
	if log[0] != nil {
		delete(log, 3)
	}
	slices.SortStableFunc(log[1], func(a, b string) int { return pushes(b) - pushes(a) })
	return fmt.Sprint(log)
}

func pushes(frame string) int { return strings.Count(frame[:min(len(frame), 12)], "PUSH_PROMISE") }
