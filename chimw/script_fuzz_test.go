package chimw_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/script"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
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
		p.compare(t, fmt.Sprint("seed ", seed), script.Random(seed))
	}
}

// FuzzAnyUseOfTheWriterGivesTheSameBytes is the same for any bytes.
func FuzzAnyUseOfTheWriterGivesTheSameBytes(f *testing.F) {
	p := newScriptPair(f)
	for step := range script.Steps {
		f.Add([]byte{0, byte(step), 3, 40, 7, byte(step), 0, 9, 9})
	}
	f.Fuzz(func(t *testing.T, data []byte) { p.compare(t, "fuzz", data[:min(len(data), 500)]) })
}

// A scriptPair is two servers that play the script of each request.
type scriptPair struct {
	*script.Sites
	without, with *servertest.Server
}

func newScriptPair(t testing.TB) *scriptPair {
	sites := script.NewSites()
	return &scriptPair{
		Sites:   sites,
		without: servertest.Start(t, servertest.HTTP1, sites.Without, servertest.Unattached()),
		with:    servertest.Start(t, servertest.HTTP1, sites.With),
	}
}

// compare sends the script's request and one after it, at once, to both servers.
func (p *scriptPair) compare(t *testing.T, label string, s script.Script) {
	method, body := s.Request()
	ends := []string{"", "", "Connection: close\r\n"}[s.Of(3)]
	version := 1 - s.Of(8)/7
	request := fmt.Sprintf("%s %s HTTP/1.%d\r\nHost: a.test\r\n%sContent-Length: %d\r\n%s: %x\r\n\r\n%s",
		method, script.Path, version, ends, len(body), script.Header, []byte(s), body) +
		"GET " + script.Probe + " HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
	want := p.answer(t, p.without, request)
	got := p.answer(t, p.with, request)
	if want != got {
		t.Errorf("%s: %s %x", label, method, []byte(s))
		requireSameBytes(t, want, got)
	}
	p.RequireRefused(t)
}

func (p *scriptPair) answer(t *testing.T, s *servertest.Server, request string) string {
	w := dialWire(t, servertest.HTTP1, s.Addr)
	_, err := io.WriteString(w.conn, request)
	require.NoError(t, err)
	return w.rest()
}
