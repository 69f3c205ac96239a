package inspector

import (
	"sync"
	"sync/atomic"
	"time"
)

// history counts events by the second, for the last minutes.
type history struct {
	since   time.Time
	seconds [historyLength + 2*stepLength]second // a ring, with room for the step that goes on

	turning sync.Mutex
}

const (
	steps         = 60 // columns of the chart
	stepLength    = 5  // seconds
	historyLength = steps * stepLength
)

type second struct {
	number atomic.Int64 // from the start on
	counts [kinds]atomic.Int64
}

type kind int

const (
	accepted kind = iota
	refused
	succeeded
	failed
	kinds
)

// add counts an event that happens now. It is called for every task, by many goroutines:
// it takes a lock once a second only.
func (h *history) add(k kind) {
	now := h.now()
	s := h.at(now)
	if s.number.Load() != now {
		h.turn(s, now)
	}
	s.counts[k].Add(1)
}

func (h *history) now() int64              { return int64(time.Since(h.since) / time.Second) }
func (h *history) at(number int64) *second { return &h.seconds[number%int64(len(h.seconds))] }

// turn makes s, of minutes ago, that of the second now. The counts are cleared before the
// number is changed, so that who sees the number adds to what stays.
func (h *history) turn(s *second, now int64) {
	h.turning.Lock()
	defer h.turning.Unlock()
	if s.number.Load() >= now {
		return
	}
	for k := range s.counts {
		s.counts[k].Store(0)
	}
	s.number.Store(now)
}

// sum counts what happened from one second on, before another.
func (h *history) sum(from, before int64) (counts [kinds]int64) {
	for number := max(from, 0); number < before; number++ {
		s := h.at(number)
		if s.number.Load() != number {
			continue
		}
		for k := range counts {
			counts[k] += s.counts[k].Load()
		}
	}
	return counts
}

// A Rate is how often something happened in a second, over the last seconds that are whole.
type Rate struct {
	Seconds   int     `json:"seconds"`
	Accepted  float64 `json:"accepted_per_second"`
	Refused   float64 `json:"refused_per_second"`
	Succeeded float64 `json:"succeeded_per_second"`
	Failed    float64 `json:"failed_per_second"`
}

func (h *history) rate(seconds int) Rate {
	now := h.now()
	counts := h.sum(now-int64(seconds), now)
	over := float64(min(int64(seconds), max(now, 1)))
	return Rate{
		Seconds:   seconds,
		Accepted:  float64(counts[accepted]) / over,
		Refused:   float64(counts[refused]) / over,
		Succeeded: float64(counts[succeeded]) / over,
		Failed:    float64(counts[failed]) / over,
	}
}

// A History has counts for each step of the last minutes, the current step last.
type History struct {
	StepSeconds int     `json:"step_seconds"`
	Accepted    []int64 `json:"accepted"`
	Refused     []int64 `json:"refused"`
	Succeeded   []int64 `json:"succeeded"`
	Failed      []int64 `json:"failed"`
}

func (h *history) read() History {
	past := History{StepSeconds: stepLength}
	for step := h.now()/stepLength - steps + 1; len(past.Accepted) < steps; step++ {
		counts := h.sum(step*stepLength, (step+1)*stepLength)
		past.Accepted = append(past.Accepted, counts[accepted])
		past.Refused = append(past.Refused, counts[refused])
		past.Succeeded = append(past.Succeeded, counts[succeeded])
		past.Failed = append(past.Failed, counts[failed])
	}
	return past
}
