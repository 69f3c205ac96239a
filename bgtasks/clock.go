package bgtasks

import (
	"sync/atomic"
	"time"
)

// A clock counts the time since its runner was made. Reading it takes half as long as time.Now
// does, and reading clocks is a good part of what a short task costs. What time of day it was
// is worked out for those who ask.
type clock struct {
	start  time.Time
	anchor atomic.Pointer[time.Time] // the latest moment at which the time of day was set
}

func (c *clock) init() {
	c.start = time.Now()
	c.anchor.Store(&c.start)
}

func (c *clock) now() time.Duration { return time.Since(c.start) }

// at is the moment of a reading, the same each time, unless the time of day has been set since
// (by hand, or while the machine was suspended).
func (c *clock) at(reading time.Duration) time.Time {
	now, anchor := time.Now(), c.anchor.Load()
	expected := anchor.Add(now.Sub(*anchor))
	if now.Round(0).Sub(expected.Round(0)).Abs() > time.Millisecond { // Round(0): by the time of day
		anchor = &now
		c.anchor.Store(anchor)
	}
	return anchor.Add(reading - anchor.Sub(c.start))
}
