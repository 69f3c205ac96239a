package chimw

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
)

// A conn is a connection of an attached server. It knows the lists that wait for their
// response to have been sent on it (HTTP/1: one, unless http.TimeoutHandler gave up on a
// handler that still runs).
type conn struct {
	net      net.Conn
	base     context.Context // http.Server.BaseContext's
	known    atomic.Bool     // StateNew has been seen: the hooks work
	hijacked atomic.Bool
	gone     chan struct{} // closed with the connection, unless that is hijacked
	protocol atomic.Int32  // see speaksHTTP2; 0 before it is known
	ending   atomic.Int32  // HTTP/2 responses with tasks whose handler has returned, and whose stream goes on
	epoch    atomic.Uint32 // how many responses have been sent; changed under mu

	mu      sync.Mutex
	waiting *exchange
	idle    bool // the last change was to idle, not to closed
}

type connKey struct{}

// Values of conn.protocol.
const (
	other = 1 + iota
	http2
)

// speaksHTTP2 reports whether c does by what was negotiated with TLS. Without, nothing tells.
func (c *conn) speaksHTTP2() bool {
	known := c.protocol.Load()
	if known == 0 {
		known = other
		if secure, ok := c.net.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == "h2" {
			known = http2
		}
		c.protocol.Store(known)
	}
	return known == http2
}

func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// attached is false where ConnState was assigned after Attach, so that nothing is heard.
func (c *conn) attached() bool { return c != nil && c.known.Load() }

func (c *conn) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// startWhenIdle starts x's list when net/http has reported the connection idle or closed:
// then the response has been handed to the operating system. It may have been reported
// already (http.TimeoutHandler outside, or a hijacked connection).
func (c *conn) startWhenIdle(x *exchange) {
	c.mu.Lock()
	if c.epoch.Load() == x.epoch {
		x.next, c.waiting = c.waiting, x
		c.mu.Unlock()
		return
	}
	idle := c.idle
	c.mu.Unlock()
	x.start(idle || x.whole())
}

// sent is called when the response has been.
func (c *conn) sent(idle bool) {
	c.mu.Lock()
	c.epoch.Add(1)
	c.idle = idle
	x := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for x != nil {
		next := x.next
		x.next = nil
		x.start(idle || x.whole()) // after a failed write net/http closes
		x = next
	}
}

// barrier waits for a write under way on the connection: a write of no bytes sends nothing,
// but takes its turn. (On a net.Pipe the peer would be handed an empty read.)
func (c *conn) barrier() {
	if addr := c.net.LocalAddr(); addr == nil || addr.Network() != "pipe" {
		_, _ = c.net.Write(nil)
	}
}

// conns are the connections of all attached servers.
var conns connTable

type connTable struct {
	live sync.Map // net.Conn: *conn, from StateNew to StateClosed or StateHijacked

	mu        sync.Mutex
	announced []*conn // by ConnContext, which net/http calls just before StateNew
}

// mostAnnounced bounds announced where StateNew never comes, as ConnState was assigned
// after Attach.
const mostAnnounced = 64

// announce makes a conn for nc.
func (t *connTable) announce(base context.Context, nc net.Conn) *conn {
	c := &conn{net: nc, base: base, gone: make(chan struct{})}
	if !hashable(nc) {
		return c // cannot be found again: not attached
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.announced) == mostAnnounced {
		t.announced = slices.Delete(t.announced, 0, 1)
	}
	t.announced = append(t.announced, c)
	return c
}

// changed is told of every change of a connection's state.
func (t *connTable) changed(nc net.Conn, state http.ConnState) {
	if state == http.StateActive || !hashable(nc) {
		return
	}
	switch state {
	case http.StateNew:
		t.enter(nc)
	case http.StateIdle:
		if c, ok := t.live.Load(nc); ok {
			c.(*conn).sent(true)
		}
	case http.StateHijacked:
		if c, ok := t.live.LoadAndDelete(nc); ok {
			c.(*conn).hijacked.Store(true)
			c.(*conn).sent(false) // by a middleware outside, after the list's own handler
		}
	case http.StateClosed:
		if c, ok := t.live.LoadAndDelete(nc); ok {
			close(c.(*conn).gone)
			c.(*conn).sent(false)
		}
	}
}

func (t *connTable) enter(nc net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, c := range t.announced {
		if c.net == nc {
			t.announced = slices.Delete(t.announced, i, i+1)
			c.known.Store(true)
			t.live.Store(nc, c)
			return
		}
	}
}

// hashable reports whether nc can be compared with others: a struct may hold what cannot.
func hashable(nc net.Conn) bool { return reflect.ValueOf(nc).Comparable() }
