package chimw_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
)

// bhUnstarted is a server for p that the test starts by itself.
func bhUnstarted(t testing.TB, p servertest.Protocol, h http.Handler, addr string) *servertest.Server {
	var speaks http.Protocols
	speaks.SetHTTP1(!p.HTTP2)
	speaks.SetHTTP2(p.HTTP2 && p.TLS)
	speaks.SetUnencryptedHTTP2(p.HTTP2 && !p.TLS)
	s := &servertest.Server{
		URL:    "http://" + addr,
		Addr:   addr,
		HTTP:   &http.Server{Handler: h, Protocols: &speaks, ErrorLog: log.New(io.Discard, "", 0)},
		Client: p.Client(t),
	}
	if p.TLS {
		s.URL = "https://" + addr
		s.HTTP.TLSConfig = &tls.Config{Certificates: []tls.Certificate{bhCertificate()}}
	}
	return s
}

// bhCertificate is httptest's, for 127.0.0.1.
func bhCertificate() tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
}
