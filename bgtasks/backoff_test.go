package bgtasks_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// pauses returns the shortest and the longest of many pauses after that attempt.
func pauses(t *testing.T, first, most time.Duration, attempt int) (shortest, longest time.Duration) {
	t.Helper()
	wait := bgtasks.Backoff(first, most)
	shortest = math.MaxInt64
	for range 300 {
		pause, again := wait(attempt, errBroken)
		require.True(t, again)
		shortest, longest = min(shortest, pause), max(longest, pause)
	}
	return shortest, longest
}

func TestBackoffDoublesFromFirstToMostWithJitter(t *testing.T) {
	const s = time.Second
	for attempt, full := range map[int]time.Duration{
		1: s, 2: 2 * s, 3: 4 * s, 4: 8 * s, 5: 10 * s, 6: 10 * s,
		34: 10 * s, 35: 10 * s, 62: 10 * s, 63: 10 * s, 64: 10 * s, 65: 10 * s,
		1 << 20: 10 * s, math.MaxInt: 10 * s,
	} {
		shortest, longest := pauses(t, s, 10*s, attempt)
		assert.GreaterOrEqual(t, shortest, full/2, "attempt %d", attempt)
		assert.LessOrEqual(t, longest, full, "attempt %d", attempt)
		// 300 draws that all fall into the same tenth: one in 10^200.
		assert.Greater(t, longest-shortest, full/20, "attempt %d is not random", attempt)
	}
}

func TestBackoffWithExtremeDurations(t *testing.T) {
	const forever = time.Duration(math.MaxInt64)
	for _, c := range []struct{ first, most time.Duration }{
		{0, 0}, {0, time.Second}, {time.Second, 0}, {time.Minute, time.Second}, {1, 1}, {1, 2}, {1, forever},
		{forever, forever}, {forever, time.Second}, {forever - 1, forever}, {time.Hour, forever},
		{-1, -1}, {-time.Second, time.Second}, {time.Second, -time.Second}, {math.MinInt64, math.MinInt64},
	} {
		for _, attempt := range []int{math.MinInt, -1, 0, 1, 2, 3, 31, 32, 33, 62, 63, 64, 65, 1000} {
			shortest, longest := pauses(t, c.first, c.most, attempt)
			require.GreaterOrEqual(t, shortest, time.Duration(0), "%+v, attempt %d", c, attempt)
			require.LessOrEqual(t, longest, max(c.most, 0), "%+v, attempt %d", c, attempt)
		}
	}
}

func TestBackoffNeverShrinks(t *testing.T) {
	const forever = time.Duration(math.MaxInt64)
	_, before := pauses(t, time.Millisecond, forever, 1)
	for attempt := 3; attempt < 80; attempt += 2 { // two doublings are more than the jitter
		shortest, longest := pauses(t, time.Millisecond, forever, attempt)
		assert.Greater(t, longest, before/2, "attempt %d", attempt)
		assert.GreaterOrEqual(t, shortest, before/2, "attempt %d", attempt)
		before = longest
	}
}

func TestBackoffTakesNoLongerForHugeAttempts(t *testing.T) {
	done := make(chan time.Duration)
	go func() { // as it may never return
		pause, _ := bgtasks.Backoff(0, time.Second)(math.MaxInt, errBroken)
		done <- pause
	}()
	select {
	case pause := <-done:
		assert.LessOrEqual(t, pause, time.Second)
	case <-time.After(10 * time.Second):
		require.FailNow(t, "the time that Backoff takes grows with the attempt")
	}
}
