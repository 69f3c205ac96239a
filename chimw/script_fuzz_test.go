package chimw_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"
)

// TestAnyUseOfTheWriterGivesTheSameBytes has handlers do random things to their responses;
// a failure tells the seed.
func TestAnyUseOfTheWriterGivesTheSameBytes(t *testing.T) {
	p := newScriptPair(t)
	n := uint64(1000)
	if testing.Short() {
		n = 100
	}
	for seed := range n {
		rng := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 5+rng.IntN(60))
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		p.compare(t, fmt.Sprint("seed ", seed), script)
	}
}

// FuzzAnyUseOfTheWriterGivesTheSameBytes is the same for any bytes.
func FuzzAnyUseOfTheWriterGivesTheSameBytes(f *testing.F) {
	p := newScriptPair(f)
	for step := range scriptSteps {
		f.Add([]byte{0, byte(step), 3, 40, 7, byte(step), 0, 9, 9})
	}
	f.Fuzz(func(t *testing.T, script []byte) { p.compare(t, "fuzz", script[:min(len(script), 500)]) })
}

// A scriptPair is two servers that play the script of each request, one without the
// middleware and one with it and a task that writes to the response when it is over.
type scriptPair struct {
	without, with *servertest.Server
	run           *bgtasks.Runner
	added         atomic.Int64 // tasks
	refused       atomic.Int64 // late writes
}

func newScriptPair(t testing.TB) *scriptPair {
	p := &scriptPair{}
	plain, site := chi.NewRouter(), bhNewSite(bgtasks.Config{})
	p.run = site.run
	plain.HandleFunc("/script", playScript)
	site.HandleFunc("/script", func(w http.ResponseWriter, r *http.Request) {
		if bgtasks.Add(r.Context(), "write late", p.writeLate(w)) == nil {
			p.added.Add(1)
		}
		playScript(w, r)
	})
	for _, r := range []chi.Router{plain, site} {
		r.Get("/probe", smallText)
	}
	p.without = servertest.Start(t, servertest.HTTP1, plain, servertest.Unattached())
	p.with = servertest.Start(t, servertest.HTTP1, site)
	return p
}

func (p *scriptPair) writeLate(w http.ResponseWriter) bgtasks.Func {
	return func(context.Context) error {
		//bgvet:ignore it is to be refused
		if _, err := w.Write([]byte("too late")); errors.Is(err, bgtasks.ErrResponseSent) {
			p.refused.Add(1)
		}
		w.WriteHeader(http.StatusTeapot)     //bgvet:ignore it is to have no effect
		w.Header().Set("X-Late", "too late") //bgvet:ignore it is to have no effect
		return nil
	}
}

func playScript(w http.ResponseWriter, r *http.Request) {
	data, err := hex.DecodeString(r.Header.Get("Script"))
	if err != nil {
		panic(err)
	}
	(&script{data, w, r}).play()
}

var scriptMethods = []string{"GET", "POST", "HEAD", "PUT", "OPTIONS"}

// compare sends the script's request and one after it, at once, to both servers.
func (p *scriptPair) compare(t *testing.T, label string, data []byte) {
	s := &script{data: data}
	method, body, ends := scriptMethods[s.of(len(scriptMethods))], "", []string{"", "", "Connection: close\r\n"}[s.of(3)]
	if method != "GET" {
		body = string(scriptText[:s.of(200)])
	}
	request := fmt.Sprintf("%s /script HTTP/1.%d\r\nHost: a.test\r\n%sContent-Length: %d\r\nScript: %x\r\n\r\n%s",
		method, 1-s.of(8)/7, ends, len(body), s.data, body) +
		"GET /probe HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
	want := p.answer(t, p.without, request)
	got := p.answer(t, p.with, request)
	if want != got {
		t.Errorf("%s: %s %x", label, method, s.data)
		requireSameBytes(t, want, got)
	}
	bhWait(t, p.run)
	require.Positive(t, p.added.Load())
	require.Equal(t, p.added.Load(), p.refused.Load())
}

func (p *scriptPair) answer(t *testing.T, s *servertest.Server, request string) string {
	w := dialWire(t, servertest.HTTP1, s.Addr)
	_, err := io.WriteString(w.conn, request)
	require.NoError(t, err)
	return w.rest()
}
