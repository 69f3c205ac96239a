package shapes

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// proxied are answered by a second server, through httputil.ReverseProxy.
func proxied(t testing.TB) []Shape {
	return []Shape{
		{Name: "proxy", Handler: proxy(t, text)},
		{Name: "proxy, HEAD", Method: http.MethodHead, Handler: proxy(t, sized("100000", ""))},
		{Name: "proxy, 500", Handler: proxy(t, status(http.StatusInternalServerError, "out of order"))},
		{Name: "proxy, early hints", Handler: proxy(t, func(w http.ResponseWriter, r *http.Request) {
			hint(w)
			text(w, r)
		})},
		{Name: "proxy, trailers", Handler: proxy(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			flush(w)
			w.Header().Set("X-Sum", "42")
		})},
		{Name: "proxy, aborted", Handler: proxy(t, sized("100", "ten bytes."))},
		{Name: "proxy, echo", Method: http.MethodPost, Body: "ping", Handler: proxy(t, echo)},
	}
}

func proxy(t testing.TB, h http.HandlerFunc) http.HandlerFunc {
	upstream := httptest.NewUnstartedServer(h)
	upstream.Config.ErrorLog = quiet
	upstream.Start()
	t.Cleanup(upstream.Close)
	to, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	p := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  quiet,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
	}
	return p.ServeHTTP
}

var quiet = log.New(io.Discard, "", 0)
