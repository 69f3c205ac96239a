package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// How long it takes until all is as before, after an overload and after a restart.

// usualProbes are so many requests as say what an answer usually takes, usualPause apart, so
// that they do not all meet the same quiet moment.
const (
	usualProbes = 40
	usualPause  = 10 * time.Millisecond
)

// settledProbes are so many answers in a row as say that it does again, if no more than half
// of them took longer.
const settledProbes = 5

// prober is a client that asks for little, one request after the other.
func (s *run) prober(t *process, name string, web *web) *client {
	return &client{run: s, t: t, name: name, web: web, random: rand.New(rand.NewPCG(s.seed, 0))}
}

// usual is the longest that an answer takes under the attack, without an overload.
func (c *client) usual() (most time.Duration) {
	for range usualProbes {
		_, took := c.burst(1)
		most = max(most, took)
		time.Sleep(usualPause)
	}
	return most
}

// settleLimit is how long that is waited for. It breaks no promise: others may keep the machine
// busy by then.
const settleLimit = 3 * time.Second

// settles waits until a request is taken, and then until answers take no longer than usual; it
// returns how long both took.
func (c *client) settles(usual time.Duration) (taken, settled time.Duration) {
	began := time.Now()
	if taken = c.isTaken(began); taken == 0 {
		c.report.breaks("%s: no request was taken for %s", c.name, patience)
		return patience, patience
	}
	var last []time.Duration
	for time.Since(began) < settleLimit && !c.t.hasExited() {
		_, took := c.burst(1)
		if last = append(last, took); len(last) >= settledProbes && median(last[len(last)-settledProbes:]) <= usual {
			break
		}
	}
	return taken, time.Since(began)
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func (c *client) isTaken(began time.Time) time.Duration {
	for time.Since(began) < patience && !c.t.hasExited() {
		if status, _ := c.burst(1); status == http.StatusOK {
			return time.Since(began)
		}
		time.Sleep(time.Millisecond) // between probes
	}
	return 0
}

// asBefore says when answers took no longer than usual.
func asBefore(settled time.Duration) string {
	if settled >= settleLimit {
		return "not within " + settleLimit.String()
	}
	return "after " + settled.Round(time.Millisecond).String()
}

// A recovery is what came after a restart.
type recovery struct {
	first   time.Duration // from the start of the process to its first answer
	orders  time.Duration // likewise
	settled time.Duration // from the beginning of the attack until answers take no longer than before
}

func (r *report) restarted(rec recovery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recoveries = append(r.recoveries, rec)
}

// recovered is the median and the most of a part of all recoveries.
func (r *report) recovered(part func(recovery) time.Duration) (usual, most time.Duration) {
	if len(r.recoveries) == 0 {
		return 0, 0
	}
	var all []time.Duration
	for _, rec := range r.recoveries {
		all = append(all, part(rec))
	}
	return median(all).Round(time.Millisecond), slices.Max(all).Round(time.Millisecond)
}

// afterRestarts says how all recoveries went.
func (r *report) afterRestarts() string {
	first, firstMost := r.recovered(func(r recovery) time.Duration { return r.first })
	orders, ordersMost := r.recovered(func(r recovery) time.Duration { return r.orders })
	settled, settledMost := r.recovered(func(r recovery) time.Duration { return r.settled })
	return fmt.Sprintf("first answer after %s, at most %s; orders %s, at most %s; as fast as before, under the attack, %s, at worst %s",
		first, firstMost, orders, ordersMost, asBefore(settled), asBefore(settledMost))
}
