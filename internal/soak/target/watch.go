package main

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// A watchedListener watches its connections.
type watchedListener struct {
	net.Listener
	slow float64 // part of the connections whose writes take milliseconds
}

func (l watchedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: c, slow: rand.Float64() < l.slow, open: make(map[string][]byte)}, nil
}

// A watchedConn knows of which responses the last byte has been handed to the operating
// system.
type watchedConn struct {
	net.Conn
	slow bool

	mu   sync.Mutex
	open map[string][]byte // by request: how its response ends
	tail []byte            // the last that was written
	dead bool              // a write has failed, or it is closed: nothing more can be sent
}

// mostEnd is more than any response's end has bytes.
const mostEnd = 128

// expect begins to look out for the end of a request's response.
func (c *watchedConn) expect(id, end string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[id] = []byte(end)
}

// forget gives that up: the response is another.
func (c *watchedConn) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, id)
}

// sent tells whether the end has been written, or never will be.
func (c *watchedConn) sent(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, open := c.open[id]
	return !open || c.dead
}

func (c *watchedConn) Close() error {
	c.mu.Lock()
	c.dead = true
	c.mu.Unlock()
	return c.Conn.Close()
}

func (c *watchedConn) Write(p []byte) (int, error) {
	if c.slow && len(p) > 0 {
		time.Sleep(time.Duration(1+rand.IntN(4)) * time.Millisecond)
	}
	n, err := c.Conn.Write(p)
	c.written(p[:n], err)
	return n, err
}

func (c *watchedConn) written(p []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = c.dead || err != nil
	if len(c.open) == 0 {
		c.tail = c.tail[:0]
		return
	}
	seam := append(c.tail, p[:min(len(p), mostEnd)]...)
	for id, end := range c.open {
		if bytes.Contains(seam, end) || bytes.Contains(p, end) {
			delete(c.open, id)
		}
	}
	if len(p) >= mostEnd {
		seam = p
	}
	c.tail = append([]byte(nil), seam[max(0, len(seam)-mostEnd):]...)
}
