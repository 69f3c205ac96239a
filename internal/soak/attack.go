package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
)

// A client attacks one process in one way after the other.
type client struct {
	*run
	t      *process
	name   string // unique in the soak
	n      int    // requests so far
	random *rand.Rand
	done   <-chan struct{}
	web    *web
}

// A way is something that clients do, more or less often.
type way struct {
	name   string
	weight int
	do     func(*client)
}

var ways = []way{
	{"http/1.1", 20, func(c *client) { c.get(c.web.http1, "http://"+c.t.plain) }},
	{"h2c", 20, func(c *client) { c.get(c.web.h2c, "http://"+c.t.plain) }},
	{"http/1.1+tls", 6, func(c *client) { c.get(c.web.tls1, "https://"+c.t.secure) }},
	{"h2+tls", 10, func(c *client) { c.get(c.web.tls2, "https://"+c.t.secure) }},
	{"upload", 6, (*client).upload},
	{"websocket", 6, (*client).websocket},
	{"pipelined", 8, (*client).pipeline},
	{"half-sent", 6, (*client).halfSent},
	{"reset", 12, (*client).reset},
	{"slow reader", 4, (*client).readSlowly},
	{"never reads", 2, (*client).neverRead},
	{"h2 reset", 12, (*client).resetStream},
	{"h2 slow reader", 3, (*client).readStreamSlowly},
	{"h2 never reads", 2, (*client).neverReadStream},
	{"orders: order", 8, (*client).order},
	{"orders: image", 3, (*client).image},
	{"orders: import", 3, (*client).delivery},
	{"orders: report", 2, (*client).salesReport},
	{"orders: customer", 3, (*client).customer},
	{"orders: export", 1, (*client).export},
	{"orders: events", 2, (*client).watch},
	{"orders: pipelined", 2, (*client).pipelineOrders},
}

// attack has clients work until done. They end by themselves when the process has ended.
func (s *run) attack(t *process, life int, done <-chan struct{}, clients *sync.WaitGroup) {
	web := newWeb()
	for i := range s.clients {
		c := &client{run: s, t: t, name: fmt.Sprintf("%d-%d", life, i), done: done, web: web,
			random: rand.New(rand.NewPCG(s.seed, uint64(life)<<32|uint64(i)))}
		clients.Go(c.loop)
	}
	for i := range s.idle {
		clients.Go(func() { s.loiter(t, i, done) })
	}
	go func() {
		<-done
		clients.Wait()
		web.close()
	}()
}

func (c *client) loop() {
	sum := 0
	for _, w := range ways {
		sum += w.weight
	}
	for {
		select {
		case <-c.done:
			return
		case <-c.t.exited:
			return
		case <-time.After(c.thinks()):
		}
		pick := c.random.IntN(sum)
		for _, w := range ways {
			if pick -= w.weight; pick < 0 {
				w.do(c)
				c.report.request(w.name)
				break
			}
		}
	}
}

// thinks is the pause before the next attempt, longer where hardly any will get through.
func (c *client) thinks() time.Duration {
	pause := time.Duration(c.random.IntN(30)) * time.Millisecond
	if c.t.terminated.Load() {
		pause *= 10
	}
	return pause
}

// loiter holds a connection that says nothing, or only half of a request's head.
func (s *run) loiter(t *process, i int, done <-chan struct{}) {
	conn, err := net.DialTimeout("tcp", t.plain, 5*time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	if i%2 == 0 {
		_, _ = fmt.Fprint(conn, "GET /do/loiter HTTP/1.1\r\nHost: so")
	}
	select {
	case <-done:
	case <-t.exited:
	}
}

// faults are what tasks do, by how often of 100; the rest is well.
var faults = []struct {
	letter byte
	name   string
	per100 int
}{
	{plan.Fail, "task fails", 8},
	{plan.Panic, "task panics", 6},
	{plan.Goexit, "task goexits", 5},
	{plan.Timeout, "task hangs", 3},
	{plan.Retry, "task retries", 5},
	{plan.Nest, "task adds", 8},
	{plan.Write, "task writes", 6},
	{plan.Hang, "task hangs for ever", 0}, // only just before a shutdown
	{plan.Upload, "task reads upload", 0},
	{plan.Sleep, "task takes 20 ms", 0},
	{plan.OK, "all well", 0},
}

// ask makes up a request.
func (c *client) ask() plan.Request {
	c.n++
	q := plan.Request{ID: fmt.Sprintf("%s-%d", c.name, c.n), Size: c.random.IntN(3000), Chunked: c.random.IntN(4) == 0}
	for range c.random.IntN(5) {
		q.Tasks += string(c.letter())
	}
	switch c.random.IntN(20) {
	case 0:
		q.Status = 500
	case 1:
		q.Status = 404
	case 2:
		q.End = "panic"
	case 3:
		q.End = "abort"
	case 4:
		q.Size = 200_000
	}
	return q
}

func (c *client) letter() byte {
	pick := c.random.IntN(100)
	for _, f := range faults {
		if pick -= f.per100; pick < 0 {
			return f.letter
		}
	}
	return plan.OK
}
