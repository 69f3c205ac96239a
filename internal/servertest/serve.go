package servertest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// A Served server is one that chimw.Serve runs, and shuts down.
type Served struct {
	*Server
	Stop   context.CancelFunc // begins the shutdown
	Result <-chan error       // gets what chimw.Serve returned
}

// Serve has chimw.Serve serve h until Stop is called, or the test ends.
func Serve(t testing.TB, p Protocol, h http.Handler, run *bgtasks.Runner, grace time.Duration) *Served {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: ln.Addr().String(), Client: p.Client(t), HTTP: &http.Server{
		Handler:   h,
		Protocols: p.protocols(),
		ErrorLog:  log.New(io.Discard, "", 0),
	}}
	s.URL = "http://" + s.Addr
	if p.TLS {
		s.URL = "https://" + s.Addr
		s.HTTP.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate()}}
	}
	ctx, stop := context.WithCancel(context.Background())
	result, returned := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(returned)
		result <- chimw.Serve(ctx, s.HTTP, ln, run, grace)
	}()
	t.Cleanup(func() {
		stop()
		_ = s.HTTP.Close()
		<-returned
	})
	return &Served{Server: s, Stop: stop, Result: result}
}
