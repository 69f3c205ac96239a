package chimw

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// afterCancel is what tasks get to return in when a shutdown has cancelled them.
const afterCancel = time.Second

// ListenAndServe listens on srv.Addr (":http" where that is empty, ":https" with TLS) and
// goes on as Serve does. If it cannot listen it returns that error at once and leaves r as
// it was.
func ListenAndServe(ctx context.Context, srv *http.Server, r *bgtasks.Runner, grace time.Duration) error {
	mustHave(srv, r)
	addr := srv.Addr
	if addr == "" {
		addr = ":http"
		if hasCertificates(srv) {
			addr = ":https"
		}
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("chimw: cannot serve on %s: %w", addr, err)
	}
	defer ln.Close() // which the server does, unless it fails before
	return Serve(ctx, srv, ln, r, grace)
}

// Serve attaches to srv and serves on ln, with TLS if srv.TLSConfig has certificates, until
// ctx ends or the server fails or is shut down by others. Then it shuts down, first srv,
// then r, within grace altogether:
//
// The server gets at most half of grace for the requests under way; those that remain then
// lose their connections. Tasks run on meanwhile and get the rest; those that have not
// ended by then are cancelled (see bgtasks.Runner.Shutdown) and get one second more to
// return. So Serve returns at the latest one second after grace.
//
// The result is nil, or the errors of the server, of its shutdown and of the runner's,
// joined. The contexts of requests do not derive from ctx: its end does not cancel them.
func Serve(ctx context.Context, srv *http.Server, ln net.Listener, r *bgtasks.Runner, grace time.Duration) error {
	mustHave(srv, r)
	if ln == nil {
		panic("chimw: Serve needs a listener")
	}
	Attach(srv)
	served := make(chan error, 1)
	go func() { served <- serve(srv, ln) }()

	var failure error
	select {
	case failure = <-served:
		served <- nil
	case <-ctx.Done():
	}
	deadline := time.Now().Add(grace)
	err := shutDownServer(srv, grace/2)
	if failure == nil {
		failure = <-served
	}
	return errors.Join(failure, err, shutDownTasks(r, deadline))
}

func serve(srv *http.Server, ln net.Listener) (err error) {
	if hasCertificates(srv) {
		err = srv.ServeTLS(ln, "", "")
	} else {
		err = srv.Serve(ln)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("chimw: serving on %s: %w", ln.Addr(), err)
}

func hasCertificates(srv *http.Server) bool {
	c := srv.TLSConfig
	return c != nil && (len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil)
}

func shutDownServer(srv *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	err := srv.Shutdown(ctx)
	if err == nil {
		return nil
	}
	_ = srv.Close()
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("chimw: requests were cut off at the end of the server's part of the grace period: %w", err)
	}
	return fmt.Errorf("chimw: shutting down the server: %w", err)
}

func shutDownTasks(r *bgtasks.Runner, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	err := r.Shutdown(ctx)
	if err != nil {
		last, cancel := context.WithDeadline(context.Background(), deadline.Add(afterCancel))
		defer cancel()
		_ = r.Wait(last)
	}
	return err
}

func mustHave(srv *http.Server, r *bgtasks.Runner) {
	if srv == nil {
		panic("chimw: a server is needed")
	}
	if r == nil {
		panic("chimw: a runner is needed: make one with bgtasks.New")
	}
}
