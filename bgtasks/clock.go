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
	anchor atomic.Pointer[anchor] // the latest

	// checked is the reading up to which the anchor is known to hold, so that many questions
	// about the same moments, such as a busy runner's observers have, ask the system once.
	checked atomic.Int64
}

// An anchor is a moment at which the time of day was set, and its reading.
type anchor struct {
	time    time.Time
	reading time.Duration
}

func (c *clock) init() {
	c.start = time.Now()
	c.anchor.Store(&anchor{time: c.start})
}

func (c *clock) now() time.Duration { return time.Since(c.start) }

// at is the moment of a reading: the same each time, unless the time of day has been set since
// (by hand, or while the machine was suspended). That is noticed by the first to ask for a
// reading which is a millisecond later than the last check.
func (c *clock) at(reading time.Duration) time.Time {
	if reading-time.Duration(c.checked.Load()) > time.Millisecond {
		c.check()
	}
	a := c.anchor.Load()
	return a.time.Add(reading - a.reading)
}

// check makes a new anchor if the time of day has been set since the latest.
func (c *clock) check() {
	now, a := time.Now(), c.anchor.Load()
	reading := now.Sub(c.start)
	expected := a.time.Add(reading - a.reading)
	if now.Round(0).Sub(expected.Round(0)).Abs() > time.Millisecond { // Round(0): by the time of day
		c.anchor.Store(&anchor{now, reading})
	}
	c.checked.Store(int64(reading))
}
