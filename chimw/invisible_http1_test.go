package chimw_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/require"
)

// http1Shapes are those that HTTP/2 does not have.
func http1Shapes(t *testing.T) []shapes.Shape {
	closing := map[string]string{"Connection": "close"}
	return []shapes.Shape{
		{Name: "client closes", Header: closing, Handler: smallText},
		{Name: "client closes, body unknown in length", Header: closing, Handler: flushedText},
		{Name: "handler closes", Handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			smallText(w, r)
		}},
		{Name: "write deadline passed", Handler: func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
			smallText(w, r)
		}},
		{Name: "hijacked", Handler: hijackAndSay("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmine")},
		{Name: "hijacked by the controller", Handler: func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "not HTTP at all")
				_ = conn.Close()
			}
		}},
		{Name: "hijacked, then panic", Handler: func(w http.ResponseWriter, r *http.Request) {
			hijackAndSay("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nmine")(w, r)
			panic("after hijacking")
		}},
		{Name: "hijacked after a flush", Handler: func(w http.ResponseWriter, r *http.Request) {
			flushedText(w, r)
			hijackAndSay("3\r\nend\r\n0\r\n\r\n")(w, r)
		}},
		{Name: "upgrade through a proxy", Handler: upgradeProxy(t),
			Header: map[string]string{"Connection": "Upgrade", "Upgrade": "echo"}},
	}
}

func smallText(w http.ResponseWriter, r *http.Request) { render.PlainText(w, r, "a small text") }

func flushedText(w http.ResponseWriter, r *http.Request) {
	smallText(w, r)
	_ = http.NewResponseController(w).Flush()
}

func hijackAndSay(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buf.WriteString(s)
		_ = buf.Flush()
		_ = conn.Close()
	}
}

func upgradeProxy(t *testing.T) http.HandlerFunc {
	upstream := httptest.NewServer(hijackAndSay(
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nin the other protocol"))
	t.Cleanup(upstream.Close)
	to, err := url.Parse(upstream.URL)
	require.NoError(t, err)
	return (&httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0),
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(to) },
	}).ServeHTTP
}

// Requests that are not one HTTP/1.1 request after the other, as they are on the wire. The
// last of them has the server close the connection.
var rawRequests = map[string]string{
	"HTTP/1.0":            "GET /shape HTTP/1.0\r\n\r\n",
	"HTTP/1.0 HEAD":       "HEAD /shape HTTP/1.0\r\n\r\n",
	"HTTP/1.0 keep-alive": "GET /shape HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /shape HTTP/1.0\r\n\r\n",
	"no Host":             "GET /shape HTTP/1.1\r\n\r\n",
	"pipelined": "GET /shape HTTP/1.1\r\nHost: a.test\r\n\r\nGET /probe HTTP/1.1\r\nHost: a.test\r\n\r\n" +
		"GET /nowhere HTTP/1.1\r\nHost: a.test\r\n\r\n" +
		"GET /shape HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
	"pipelined with bodies": "POST /shape HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nping" +
		"POST /shape HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npong\r\n0\r\n\r\n" +
		"GET /probe HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
	"bytes after the last": "GET /shape HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\nrubbish",
	"malformed second":     "GET /shape HTTP/1.1\r\nHost: a.test\r\n\r\nnot HTTP\r\n\r\n",
}

func TestHTTP1RawRequestsAreAnsweredTheSameByteForByte(t *testing.T) {
	for _, h := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"text", smallText},
		{"flushed", flushedText},
		{"empty", render.NoContent},
	} {
		s := shapes.Shape{Handler: h.handler}
		for name, request := range rawRequests {
			t.Run(h.name+", "+name, func(t *testing.T) {
				t.Parallel()
				want := rawAnswer(t, s.Router(), request, servertest.Unattached())
				require.NotEmpty(t, want)
				for _, pr := range shapes.Presences {
					g := shapes.NewGuise(pr)
					requireSameBytes(t, want, rawAnswer(t, s.Router(g.Middleware()...), request))
					g.Release(t)
					if name != "no Host" {
						g.RequireTasks(t)
					}
				}
			})
		}
	}
}

func rawAnswer(t *testing.T, h http.Handler, request string, opts ...servertest.Option) string {
	s := servertest.Start(t, servertest.HTTP1, h, opts...)
	w := dialWire(t, servertest.HTTP1, s.Addr)
	w.send(request)
	return w.rest()
}
