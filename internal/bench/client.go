package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A client is one connection that sends requests and reads the answers, with as little effort
// as it can: it shares the machine with the server.
type client struct {
	net.Conn
	in *bufio.Reader
}

func dial(addr string) *client {
	c, err := net.Dial("tcp", addr)
	must(err)
	return &client{c, bufio.NewReader(c)}
}

// clients are n of them, closed when the row ends.
func (b *bench) clients(addr string, n int) []*client {
	all := make([]*client, n)
	for i := range all {
		all[i] = dial(addr)
	}
	b.atEnd(func() {
		for _, c := range all {
			_ = c.Close()
		}
	})
	return all
}

func post(path, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func get(path string) []byte { return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path) }

var anOrder = post("/orders/7", `{"customer_id": "c-1", "email": "you@example.com", "items": [{"id": "apple", "quantity": 2}, {"id": "pear", "quantity": 1}]}`)

// do sends a request and returns the answer's body when all of it is there.
func (c *client) do(request []byte) []byte {
	_, err := c.Write(request)
	must(err)
	length, status := 0, ""
	for {
		line, err := c.in.ReadSlice('\n')
		must(err)
		if status == "" {
			status = string(line)
		}
		if len(line) == 2 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(": ")); string(name) == "Content-Length" {
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			must(err)
		}
	}
	if !strings.HasPrefix(status, "HTTP/1.1 2") {
		panic("answer: " + status)
	}
	body := make([]byte, length)
	_, err = io.ReadFull(c.in, body)
	must(err)
	return body
}

// cpuOf is the CPU time that the server has used, when its tasks have run.
func (c *client) cpuOf() float64 {
	n, err := strconv.ParseFloat(string(c.do(get("/cpu"))), 64)
	must(err)
	return n
}

// saturate sends n requests, each connection its next as soon as it has an answer, and returns
// how long that takes for each.
func saturate(all []*client, n int, request []byte) float64 {
	begin := time.Now()
	flooded(all, n, request)
	return float64(time.Since(begin)) / float64(n)
}

// flooded is saturate, and returns how long each request took to be answered.
func flooded(all []*client, n int, request []byte) []time.Duration {
	return numbered(all, n, func(c *client, _ int) time.Duration {
		sent := time.Now()
		c.do(request)
		return time.Since(sent)
	})
}

// paced sends n requests, one every interval, whether or not earlier ones have been answered,
// and returns how long each took from the moment at which it was to be sent: a server that
// stalls is not spared the requests that would have come meanwhile. There have to be
// connections enough.
func paced(all []*client, n int, interval time.Duration, request []byte) []time.Duration {
	begin := time.Now()
	return numbered(all, n, func(c *client, i int) time.Duration {
		due := begin.Add(time.Duration(i) * interval)
		time.Sleep(time.Until(due))
		c.do(request)
		return time.Since(due)
	})
}

// numbered has connections that are free do the requests from 0 to n-1, in that order, and
// returns what they took, sorted.
func numbered(all []*client, n int, do func(c *client, i int) time.Duration) []time.Duration {
	var next atomic.Int64
	var wg sync.WaitGroup
	took := make([]time.Duration, n)
	for _, c := range all {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				took[i] = do(c, i)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took
}

func at(sorted []time.Duration, q float64) float64 {
	return float64(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)])
}
