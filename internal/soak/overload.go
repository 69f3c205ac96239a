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
	recovery       time.Duration // from the last request to one that is taken
}

func (o overloaded) String() string {
	return fmt.Sprintf("%d requests taken, %d refused; answers took %s, at most %s; taken again after %s", o.taken, o.refused,
		o.median.Round(100*time.Microsecond), o.most.Round(time.Millisecond), o.recovery.Round(100*time.Microsecond))
}

const burstTasks = 8 // of a request, 20 ms each

// overload sends requests with ten times as many tasks as may be pending, as fast as it can, and
// then sees how long it takes until one is taken.
func (s *run) overload(t *process, life int) {
	web := newWeb()
	defer web.close()
	var o overloaded
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
	began := time.Now()
	probe := &client{run: s, t: t, name: fmt.Sprintf("%d-probe", life), web: web, random: rand.New(rand.NewPCG(s.seed, 0))}
	for {
		if status, _ := probe.burst(1); status == http.StatusOK {
			break
		}
		if time.Since(began) > patience {
			s.report.breaks("no request was taken for %s after an overload", patience)
			break
		}
		time.Sleep(time.Millisecond) // between probes
	}
	o.recovery = time.Since(began)
	slices.Sort(took)
	o.median, o.most = took[len(took)/2], took[len(took)-1]
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
	req, err := http.NewRequest(http.MethodPost, "http://"+c.t.plain+q.Path("/work"), nil)
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
		req, err := http.NewRequest(http.MethodPost, "http://"+t.plain+q.Path("/work"), nil)
		if err != nil {
			panic(err)
		}
		c.do(web.http1, req, q)
	}
}
