package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
)

// overloaded is what was seen under ten times the load that the limits allow.
type overloaded struct {
	taken, refused int
	median, most   time.Duration // of an answer
	usual          time.Duration // the longest of an answer before
	recovery       time.Duration // from the last request to one that is taken
	settled        time.Duration // and to answers that take no longer than before
}

func (o overloaded) String() string {
	return fmt.Sprintf("%d requests taken, %d refused; answers took %s, at most %s; taken again after %s, as fast as before (%s) %s", o.taken, o.refused,
		o.median.Round(100*time.Microsecond), o.most.Round(time.Millisecond), o.recovery.Round(100*time.Microsecond),
		o.usual.Round(100*time.Microsecond), asBefore(o.settled))
}

const burstTasks = 8 // of a request, 20 ms each

// overload sends requests with ten times as many tasks as may be pending, as fast as it can, and
// then sees how long it takes until all is as before.
func (s *run) overload(t *process, life int) {
	web := newWeb()
	defer web.close()
	probe := s.prober(t, fmt.Sprintf("%d-probe", life), web)
	o := overloaded{usual: probe.usual()}
	s.usual = o.usual
	var took []time.Duration
	var mu sync.Mutex
	var clients sync.WaitGroup
	const at = 50 // at once
	for i := range at {
		clients.Go(func() {
			c := &client{run: s, t: t, name: fmt.Sprintf("%d-burst-%d", life, i), web: web, random: rand.New(rand.NewPCG(s.seed, uint64(i)))}
			for range 10 * s.maxPending / burstTasks / at {
				status, d := c.burst(burstTasks)
				mu.Lock()
				took = append(took, d)
				switch status {
				case http.StatusOK:
					o.taken++
				case http.StatusServiceUnavailable:
					o.refused++
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	o.recovery, o.settled = probe.settles(o.usual)
	o.median, o.most = median(took), slices.Max(took)
	if o.refused == 0 {
		s.report.breaks("an overload of 10 times MaxPending had nothing refused: %s", o)
	}
	s.report.overload = append(s.report.overload, o)
}

// burst sends a request whose tasks take time.
func (c *client) burst(tasks int) (status int, took time.Duration) {
	c.n++
	q := plan.Request{ID: fmt.Sprintf("%s-%d", c.name, c.n), Size: 100}
	for range tasks {
		q.Tasks += string(rune(plan.Sleep))
	}
	c.report.request("overload")
	req, err := http.NewRequest(http.MethodPost, "http://"+c.t.plain+q.Path("/do"), nil)
	if err != nil {
		panic(err)
	}
	req.Header.Set("X-Request-Id", q.ID)
	began := time.Now()
	res, err := c.web.http1.Do(req)
	if err != nil {
		c.report.breaks("an overload got no answer: %v", err)
		return 0, time.Since(began)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	took = time.Since(began)
	c.check(q, res, body, err == nil)
	return res.StatusCode, took
}

// hang asks for tasks that only the shutdown's deadline ends, with others behind them.
func (s *run) hang(t *process, life int) {
	web := newWeb()
	defer web.close()
	c := &client{run: s, t: t, name: fmt.Sprintf("%d-hang", life), web: web, random: rand.New(rand.NewPCG(s.seed, uint64(life)))}
	for range c.random.IntN(4) {
		c.n++
		q := plan.Request{ID: fmt.Sprintf("%s-%d", c.name, c.n), Tasks: "oHoao", Size: 100}
		c.report.request("http/1.1")
		req, err := http.NewRequest(http.MethodPost, "http://"+t.plain+q.Path("/do"), nil)
		if err != nil {
			panic(err)
		}
		c.do(web.http1, req, q)
	}
}
