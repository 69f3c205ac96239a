package chimw_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
)

// A use of HTTP/1.1 connections.
type use struct {
	name          string
	perConnection int // requests; with one the client asks for the connection to be closed
	atOnce        int // requests in one write, without waiting for responses
}

var (
	keepAlive = use{name: "keep-alive", perConnection: 1000, atOnce: 1}
	pipelined = use{name: "pipelined", perConnection: 1000, atOnce: 10}
	closing   = use{name: "close", perConnection: 1, atOnce: 1}
)

func TestHTTP1TaskStartsAfterTheLastByte(t *testing.T) {
	for _, tc := range []struct {
		protocol servertest.Protocol
		use      use
		requests int
	}{
		{servertest.HTTP1, keepAlive, 3000},
		{servertest.HTTP1, pipelined, 1000},
		{servertest.HTTP1, closing, 2000},
		{servertest.HTTP1TLS, keepAlive, 2500},
		{servertest.HTTP1TLS, pipelined, 1000},
		{servertest.HTTP1TLS, closing, 500},
	} {
		t.Run(tc.protocol.Name+"/"+tc.use.name, func(t *testing.T) {
			l := overHTTP1(t, tc.protocol, tc.use, byBackgroundTasks, 0, fewer(tc.requests))
			assert.Zero(t, l.early(), "tasks started before the end of their response")
		})
	}
}

func TestHTTP1TaskStartsAfterTheLastByteOfASlowSocket(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP1TLS} {
		for _, use := range []use{keepAlive, pipelined, closing} {
			run := func(name string, f func(t *testing.T)) {
				wg.Go(func() { t.Run(p.Name+"/"+use.name+name, f) }) // they wait more than they work
			}
			run("", func(t *testing.T) {
				l := overHTTP1(t, p, use, byBackgroundTasks, slowly, fewer(400))
				assert.Zero(t, l.early(), "tasks started before the end of their response")
			})
			run("/control", func(t *testing.T) {
				l := overHTTP1(t, p, use, byPlainGo, slowly, fewer(200))
				assertMostAreEarly(t, l)
			})
		}
	}
}

// assertMostAreEarly shows that the check notices a task that does not wait. (A few
// responses are flushed to the last byte by their handler.)
func assertMostAreEarly(t *testing.T, l *load) {
	t.Helper()
	assert.Greater(t, l.early(), len(l.exchanges)/2, "early starts of plain goroutines on a slow socket")
}

// overHTTP1 sends requests over four connections at a time.
func overHTTP1(t *testing.T, p servertest.Protocol, use use, later later, delay time.Duration, requests int) *load {
	l := newLoad(t, p, later, delay, requests, 200)
	const clients = 4
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for n := i * requests / clients; n < (i+1)*requests/clients; n += use.perConnection {
				assert.NoError(t, l.http1Connection(use, n, min(n+use.perConnection, (i+1)*requests/clients)))
			}
		})
	}
	wg.Wait()
	l.finish()
	return l
}

// http1Connection sends requests from to to, exclusive, over a connection of their own.
func (l *load) http1Connection(use use, from, to int) error {
	conn, err := servertest.Dial(l.protocol, l.server)
	if err != nil {
		return err
	}
	defer conn.Close()
	for n := from; n < to; n += use.atOnce {
		if err := l.http1Requests(conn, use, n, min(n+use.atOnce, to)); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) http1Requests(conn *servertest.Conn, use use, from, to int) error {
	var requests bytes.Buffer
	for n := from; n < to; n++ {
		fmt.Fprintf(&requests, "GET /%d HTTP/1.1\r\nHost: localhost\r\n", n)
		if use.perConnection == 1 {
			requests.WriteString("Connection: close\r\n")
		}
		requests.WriteString("\r\n")
	}
	if _, err := conn.Write(requests.Bytes()); err != nil {
		return err
	}
	for n := from; n < to; n++ {
		res, err := http.ReadResponse(conn.Reader, nil)
		if err != nil {
			return err
		}
		body, err := io.Copy(io.Discard, res.Body)
		if err != nil {
			return err
		}
		if err := l.ended(n, body, conn.Consumed()); err != nil {
			return err
		}
	}
	return nil
}
