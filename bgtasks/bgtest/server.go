package bgtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing/iotest"
	"time"
)

// NewServer starts a server on a loopback socket, which speaks HTTP/1.1 and serves h until
// the test ends. attach is called before it serves, so that tasks start when their response
// has been sent, as in production:
//
//	srv := k.NewServer(app, chimw.Attach)
//	res, err := srv.Client().Get(srv.URL + "/orders")
//
// With srv.Client() a request returns when its whole response has been read and all tasks
// that have been added so far have ended (or are held). When that takes longer than
// Deadline, the test fails, by the tasks' names, and so does the request. For a response
// that the test wants to see while it is written, use a client of your own, and Wait.
func (k *Kit) NewServer(h http.Handler, attach func(*http.Server)) *httptest.Server {
	return k.serve(h, attach, (*httptest.Server).Start)
}

// NewTLSServer is NewServer for HTTP/2 over TLS.
func (k *Kit) NewTLSServer(h http.Handler, attach func(*http.Server)) *httptest.Server {
	return k.serve(h, attach, func(srv *httptest.Server) {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	})
}

func (k *Kit) serve(h http.Handler, attach func(*http.Server), start func(*httptest.Server)) *httptest.Server {
	srv := httptest.NewUnstartedServer(k.handle(h))
	if attach != nil {
		attach(srv.Config)
	}
	start(srv)
	srv.Client().Transport = patient{srv.Client().Transport.(*http.Transport), k}
	k.t.Cleanup(srv.Close)
	return srv
}

// handle knows which requests h is at.
func (k *Kit) handle(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		at := k.tick()
		k.handling[at] = r.Method + " " + r.URL.Path
		k.mu.Unlock()
		defer func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			delete(k.handling, at)
			k.signal()
		}()
		h.ServeHTTP(w, r)
	})
}

// patient is a server's client: it returns responses when the tasks have ended.
type patient struct {
	*http.Transport
	kit *Kit
}

func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	k := p.kit
	k.t.Helper()
	since := k.now()
	ctx, cancel := context.WithCancelCause(req.Context())
	timeout := time.AfterFunc(k.deadline(), func() {
		cancel(k.tooLate()) // asked before, as what is waited for may end with the request
	})
	res, err := p.Transport.RoundTrip(req.WithContext(ctx))
	if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
		timeout.Stop() // the connection is the caller's now
		return res, nil
	}
	if err == nil {
		readWhole(res)
	}
	if timeout.Stop() {
		cancel(nil)
		if late := k.settle(since); late != nil {
			return nil, k.fail(late)
		}
		return res, err
	}
	<-ctx.Done()
	return nil, k.fail(context.Cause(ctx))
}

func (k *Kit) fail(err error) error {
	k.t.Helper()
	k.t.Errorf("%v", err)
	return err
}

// readWhole replaces the body of res by what has been read of it, and the error after that.
func readWhole(res *http.Response) {
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	var whole io.Reader = bytes.NewReader(body)
	if err != nil {
		whole = io.MultiReader(whole, iotest.ErrReader(err))
	}
	res.Body = io.NopCloser(whole)
}
