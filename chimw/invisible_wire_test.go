package chimw_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/stretchr/testify/require"
)

// wire is a raw HTTP/1 client that keeps every byte it receives.
type wire struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
	got  bytes.Buffer
}

func dialWire(t testing.TB, p servertest.Protocol, addr string) *wire {
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	if p.TLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	w := &wire{t: t, conn: conn}
	w.in = bufio.NewReader(io.TeeReader(conn, &w.got))
	return w
}

// send writes in the background: a server that answers early may never read all of it.
func (w *wire) send(s string) {
	go func() { _, _ = io.WriteString(w.conn, s) }()
}

// exchange sends the shape's request and, where the connection stays open, a second one.
// It returns all that the server sent until it closed the connection.
func (w *wire) exchange(s shapes.Shape, host string) string {
	w.send(requestHead(s, host))
	if w.readResponse(s) {
		w.got.WriteString("\n--- next request ---\n")
		w.send("GET " + shapes.Probe + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
	}
	return w.rest()
}

func requestHead(s shapes.Shape, host string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", s.Verb(), s.Target(), host)
	for key, value := range s.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", key, value)
	}
	if s.Body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(s.Body))
	}
	b.WriteString("\r\n")
	if s.SendBody == shapes.AtOnce {
		b.WriteString(s.Body)
	}
	return b.String()
}

// readResponse reports whether the response is complete and the connection stays open.
// A client that owes the server a body has nothing more to send: it says so.
func (w *wire) readResponse(s shapes.Shape) bool {
	owed := s.SendBody != shapes.AtOnce
	for {
		res, err := http.ReadResponse(w.in, &http.Request{Method: s.Verb()})
		if err != nil {
			return false
		}
		if res.StatusCode == http.StatusContinue && s.SendBody == shapes.AfterContinue {
			w.send(s.Body)
			owed = false
		}
		if res.StatusCode < 200 {
			continue
		}
		if s.SendBody == shapes.AfterHead {
			w.send(s.Body)
			owed = false
		}
		_, err = io.Copy(io.Discard, res.Body)
		if owed {
			require.NoError(w.t, w.conn.(interface{ CloseWrite() error }).CloseWrite())
			return false
		}
		return err == nil && !res.Close
	}
}

// rest reads until the server has closed the connection, be it by a reset.
func (w *wire) rest() string {
	_, err := io.Copy(io.Discard, w.in)
	_ = w.conn.Close() // a handler that has hijacked its connection may wait for that
	if errors.Is(err, os.ErrDeadlineExceeded) {
		require.NoError(w.t, err, "the server has not closed the connection; received: %.500s", w.got.String())
	}
	return maskDate(w.got.String())
}

var dateLine = regexp.MustCompile(`\r\nDate: [^\r]*`)

func maskDate(s string) string {
	return dateLine.ReplaceAllString(s, "\r\nDate: -")
}

// requireSameBytes shows the place of the first difference, and not 100 kB twice.
func requireSameBytes(t testing.TB, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	at := firstDifference(want, got)
	around := func(s string) string { return s[max(0, at-200):min(len(s), at+200)] }
	require.Failf(t, "bytes differ", "from byte %d of %d and %d:\nwant %q\ngot  %q",
		at, len(want), len(got), around(want), around(got))
}

func firstDifference(a, b string) int {
	shorter := min(len(a), len(b))
	for i := range shorter {
		if a[i] != b[i] {
			return i
		}
	}
	return shorter
}
