package compat_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
)

// A stack is a router, with the middleware, and what serves it.
type stack struct {
	name   string
	router router
	serve  func(t *testing.T, h http.Handler) (base string, client *http.Client)
}

// stacks are those beside chi on net/http, of which package chimw has its own tests.
var stacks = []stack{
	{"ServeMux, HTTP/1.1", aroundServeMux, direct(servertest.HTTP1)},
	{"ServeMux, HTTP/2", aroundServeMux, direct(servertest.HTTP2)},
	{"gorilla/mux, HTTP/1.1", inGorilla, direct(servertest.HTTP1)},
	{"gorilla/mux, HTTP/2", inGorilla, direct(servertest.HTTP2)},
	{"around gorilla/mux, HTTP/1.1", aroundGorilla, direct(servertest.HTTP1)},
	{"around gorilla/mux, HTTP/2", aroundGorilla, direct(servertest.HTTP2)},
	{"chi, HTTP/3", inChi, overHTTP3},
	{"ServeMux, HTTP/3", aroundServeMux, overHTTP3},
	{"chi behind a proxy, HTTP/1.1", inChi, behindProxy(servertest.HTTP1)},
	{"chi behind a proxy, HTTP/2", inChi, behindProxy(servertest.HTTP2)},
	{"chi behind a proxy, HTTP/2 in cleartext", inChi, behindProxy(servertest.H2C)},
}

// A router has routes with one parameter, such as /items/{id}: all write them in the same way.
type router struct {
	build func(ours middleware, routes map[string]http.HandlerFunc) http.Handler
	param func(r *http.Request) string
	route bool // it is chi's, whose patterns bgtasks.Info knows
}

var inChi = router{
	build: func(ours middleware, routes map[string]http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(ours)
		for pattern, h := range routes {
			r.HandleFunc(pattern, h)
		}
		return r
	},
	param: func(r *http.Request) string { return chi.URLParam(r, "id") },
	route: true,
}

var aroundServeMux = router{
	build: func(ours middleware, routes map[string]http.HandlerFunc) http.Handler {
		m := http.NewServeMux()
		for pattern, h := range routes {
			m.HandleFunc(pattern, h)
		}
		return ours(m)
	},
	param: func(r *http.Request) string { return r.PathValue("id") },
}

var inGorilla = router{
	build: func(ours middleware, routes map[string]http.HandlerFunc) http.Handler {
		m := gorilla(routes)
		m.Use(ours)
		return m
	},
	param: func(r *http.Request) string { return mux.Vars(r)["id"] },
}

var aroundGorilla = router{
	build: func(ours middleware, routes map[string]http.HandlerFunc) http.Handler { return ours(gorilla(routes)) },
	param: inGorilla.param,
}

func gorilla(routes map[string]http.HandlerFunc) *mux.Router {
	m := mux.NewRouter()
	for pattern, h := range routes {
		m.HandleFunc(pattern, h)
	}
	return m
}

func direct(p servertest.Protocol) func(*testing.T, http.Handler) (string, *http.Client) {
	return func(t *testing.T, h http.Handler) (string, *http.Client) {
		s := servertest.Start(t, p, h)
		return s.URL, s.Client
	}
}

// behindProxy has an httputil.ReverseProxy in front, which speaks p to the server.
func behindProxy(p servertest.Protocol) func(*testing.T, http.Handler) (string, *http.Client) {
	return func(t *testing.T, h http.Handler) (string, *http.Client) {
		upstream := servertest.Start(t, p, h)
		to, err := url.Parse(upstream.URL)
		require.NoError(t, err)
		front := servertest.Start(t, servertest.HTTP1, &httputil.ReverseProxy{
			Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
			Transport:     upstream.Client.Transport,
			FlushInterval: -1,
			ErrorLog:      log.New(io.Discard, "", 0),
		}, servertest.Unattached())
		return front.URL, front.Client
	}
}

// overHTTP3 is a server that chimw.Attach knows nothing of.
func overHTTP3(t *testing.T, h http.Handler) (string, *http.Client) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	lender := httptest.NewUnstartedServer(nil) // of its certificate, for 127.0.0.1
	lender.StartTLS()
	defer lender.Close()
	srv := &http3.Server{Handler: h, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: lender.TLS.Certificates})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(conn)
	}()
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() {
		_ = transport.Close()
		_ = srv.Close()
		<-served
		_ = conn.Close()
	})
	return "https://" + conn.LocalAddr().String(), &http.Client{Transport: transport, Timeout: time.Minute}
}
