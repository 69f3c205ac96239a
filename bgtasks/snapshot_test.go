package bgtasks_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func namesOf(tasks bgtasks.Tasks) []string {
	names := []string{}
	for _, info := range tasks.Oldest {
		names = append(names, info.Name)
	}
	return names
}

func TestSnapshotTellsWhatEachTaskWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{MaxRunning: 1})
		release := make(chan struct{})
		hold := func(context.Context) error { <-release; return nil }

		ctx, runs := open(run)
		add(t, ctx, "runs", hold)
		add(t, ctx, "behind", nothing)
		runs.Start(sent)
		synctest.Wait()
		ctx, queued := open(run)
		add(t, ctx, "queued", nothing)
		queued.Start(sent)
		ctx, sending := open(run)
		add(t, ctx, "sending", nothing)
		require.True(t, sending.Await(sent))
		ctx, handling := open(run)
		add(t, ctx, "handling", nothing)
		add(t, ctx, "taken back", nothing)
		bgtasks.Forget(ctx, "taken back")
		_, idle := open(run)
		<-time.After(time.Second)

		s := run.Snapshot(10)
		for state, tasks := range map[string]bgtasks.Tasks{
			"runs": s.Running, "behind": s.Behind, "queued": s.Queued, "sending": s.Sending, "handling": s.Handling,
		} {
			assert.Equal(t, 1, tasks.Count, state)
			assert.Equal(t, []string{state}, namesOf(tasks))
		}
		assert.Zero(t, s.GivenUp)
		assert.Equal(t, 4, s.Lists, "one without tasks is none to wait for")
		assert.False(t, s.Closing)
		running := s.Running.Oldest[0]
		assert.Equal(t, time.Second, time.Since(running.Started))
		assert.Equal(t, bgtasks.Info{
			ID: running.ID, Name: "runs", Route: "/orders/{id}", Method: "POST", RequestID: "req-1",
			Position: 1, Attempt: 1, Added: running.Added, Started: running.Started,
		}, running)
		assert.Equal(t, 2, s.Behind.Oldest[0].Position)
		assert.Equal(t, running.ID, s.Behind.Oldest[0].ID)
		assert.True(t, s.Behind.Oldest[0].Started.IsZero())

		close(release)
		sending.Start(sent)
		handling.Start(sent)
		idle.Start(sent)
		settle(t, run)
		s = run.Snapshot(10)
		s.Config = bgtasks.Config{}
		assert.Zero(t, s)
	})
}

func TestSnapshotShowsTheOldestAndCountsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		release := make(chan struct{})
		for i := range 100 {
			ctx, list := open(run)
			add(t, ctx, fmt.Sprintf("runs %d", i), func(context.Context) error { <-release; return nil })
			for j := range 5 {
				add(t, ctx, fmt.Sprintf("behind %d/%d", i, j), nothing)
			}
			list.Start(sent)
			<-time.After(time.Millisecond)
		}
		for _, most := range []int{0, 1, 7, 100, 1000, math.MaxInt, -1} {
			s := run.Snapshot(most)
			assert.Equal(t, 100, s.Running.Count)
			assert.Equal(t, 500, s.Behind.Count)
			want := min(max(most, 0), 100)
			require.Len(t, s.Running.Oldest, want)
			require.Len(t, s.Behind.Oldest, min(max(most, 0), 500))
			for i, info := range s.Running.Oldest {
				assert.Equal(t, fmt.Sprintf("runs %d", i), info.Name)
			}
			for i, info := range s.Behind.Oldest {
				assert.Equal(t, fmt.Sprintf("behind %d/%d", i/5, i%5), info.Name)
			}
		}
		close(release)
		settle(t, run)
	})
}

func TestSnapshotTellsTheLimitsInEffect(t *testing.T) {
	s := newRunner(bgtasks.Config{}).Snapshot(1)
	assert.Equal(t, bgtasks.Config{Logger: quiet, MaxRunning: 1024, MaxPending: 65536, SendTimeout: time.Minute}, s.Config)
	s = newRunner(bgtasks.Config{MaxRunning: -1, MaxPending: 7, TaskTimeout: -1, SendTimeout: -1, StopOnError: true}).Snapshot(1)
	assert.Equal(t, bgtasks.Config{
		Logger: quiet, MaxRunning: math.MaxInt, MaxPending: 7, SendTimeout: math.MaxInt64, StopOnError: true,
	}, s.Config)
}

func TestSnapshotTellsWhatAShutdownHasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		add(t, ctx, "stubborn", stubborn(time.Hour))
		add(t, ctx, "next", nothing)
		list.Start(sent)
		done := make(chan error)
		go func() { done <- shutdownWithin(run, time.Second) }()
		synctest.Wait()
		s := run.Snapshot(10)
		assert.True(t, s.Closing)
		assert.Equal(t, []string{"stubborn"}, namesOf(s.Running))
		assert.Equal(t, []string{"next"}, namesOf(s.Behind))

		require.Error(t, <-done)
		s = run.Snapshot(10)
		assert.Equal(t, []string{"stubborn"}, namesOf(s.GivenUp))
		assert.Zero(t, s.Running)
		assert.Zero(t, s.Behind)
		assert.Equal(t, 1, s.Lists)
		settle(t, run)
		assert.Zero(t, run.Snapshot(10).Lists)
	})
}

func TestSnapshotOfARetriedTaskTellsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		add(t, ctx, "mail", failing, bgtasks.Retry(3, func(int, error) (time.Duration, bool) { return time.Minute, true }))
		list.Start(sent)
		<-time.After(90 * time.Second)
		s := run.Snapshot(1)
		require.Len(t, s.Running.Oldest, 1)
		assert.Equal(t, 2, s.Running.Oldest[0].Attempt)
		assert.Equal(t, 90*time.Second, time.Since(s.Running.Oldest[0].Started))
		settle(t, run)
	})
}

// Beside tasks that come, run and go, under the race detector.
func TestSnapshotOfABusyRunner(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxRunning: 4})
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for range 200 {
				ctx, list := open(run)
				for range 4 {
					add(t, ctx, "mail", func(ctx context.Context) error { return bgtasks.Add(ctx, "nested", failing) })
				}
				bgtasks.Forget(ctx, "nested")
				list.Start(sent)
			}
		})
	}
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		busy.Wait()
		drain(t, run)
	}()
	for looks := 0; ; looks++ {
		s := run.Snapshot(3)
		for _, tasks := range []bgtasks.Tasks{s.Handling, s.Sending, s.Queued, s.Behind, s.Running} {
			assert.LessOrEqual(t, len(tasks.Oldest), min(3, tasks.Count))
		}
		select {
		case <-idle:
			assert.Positive(t, looks)
			assert.Zero(t, run.Snapshot(3).Lists)
			return
		default:
		}
	}
}

func BenchmarkSnapshotOf65536PendingTasks(b *testing.B) {
	run := newRunner(bgtasks.Config{})
	for range 65536 {
		ctx, _ := open(run)
		add(b, ctx, "mail", nothing)
	}
	b.ReportAllocs()
	for b.Loop() {
		if run.Snapshot(100).Handling.Count != 65536 {
			b.Fatal("not all are there")
		}
	}
}
