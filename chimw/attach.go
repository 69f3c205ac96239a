package chimw

import (
	"context"
	"net"
	"net/http"
)

// Attach lets tasks know when a response of srv has been sent. Call it before srv serves,
// after setting its ConnState and ConnContext, which it keeps and calls first. Attaching a
// server twice is the same as once. ListenAndServe and Serve do it.
//
// It panics for a nil server.
func Attach(srv *http.Server) {
	if srv == nil {
		panic("chimw: Attach needs a server")
	}
	srv.ConnContext = contextHook(srv.ConnContext)
	srv.ConnState = stateHook(srv.ConnState)
	closing(srv)
}

// The hooks work on what all servers share, so that a second pair of them around the
// first finds everything done: that is what makes attaching twice the same as once, and
// attaching again mend a ConnState that was assigned in between.

func contextHook(before func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, nc net.Conn) context.Context {
		base := ctx
		if before != nil {
			if ctx = before(ctx, nc); ctx == nil {
				return nil // net/http has a panic for that
			}
		}
		if c := connOf(ctx); c != nil && hashable(nc) && c.net == nc {
			return ctx
		}
		return context.WithValue(ctx, connKey{}, conns.announce(base, nc))
	}
}

func stateHook(before func(net.Conn, http.ConnState)) func(net.Conn, http.ConnState) {
	return func(nc net.Conn, state http.ConnState) {
		if before != nil {
			before(nc, state)
		}
		conns.changed(nc, state)
	}
}
