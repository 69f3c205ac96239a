package bgtasks_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestEventsOfAListAreTold(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	events := observe(run)
	ctx, list := open(run)
	twice, _ := succeedsAt(2)
	add(t, ctx, "ok", nothing)
	add(t, ctx, "twice", twice, bgtasks.Retry(3, every(0)))
	add(t, ctx, "bad", failing)
	add(t, ctx, "unmet", nothing, bgtasks.Needs("bad"))
	add(t, ctx, "gone", nothing)
	bgtasks.Forget(ctx, "gone")
	require.Error(t, bgtasks.Add(ctx, "no", nil))
	add(t, ctx, "adds", func(ctx context.Context) error { return bgtasks.Add(ctx, "nested", nothing) })
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{
		"accepted ok", "accepted twice", "accepted bad", "accepted unmet", "accepted gone",
		"forgotten gone", "refused no", "accepted adds",
		"started ok", "finished ok",
		"started twice", "retried twice", "finished twice",
		"started bad", "finished bad",
		"skipped unmet",
		"started adds", "accepted nested", "finished adds",
		"started nested", "finished nested",
	}, events.told())
}

func TestEachAcceptedTaskHasExactlyOneEnding(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	events := observe(run)
	for _, m := range mishaps() {
		if m.opts != nil {
			continue
		}
		ctx, list := open(run)
		add(t, ctx, "bad", m.fn)
		add(t, ctx, "unmet", nothing, bgtasks.Needs("bad"))
		add(t, ctx, "good", nothing)
		add(t, ctx, "gone", nothing)
		bgtasks.Forget(ctx, "gone")
		list.Start(sent)
	}
	drain(t, run)
	checkEndings(t, events.all())
}

// checkEndings checks that every accepted task ended exactly once, and no other did.
func checkEndings(t *testing.T, events []bgtasks.Event) {
	t.Helper()
	type key struct {
		list     uint64
		position int
	}
	accepted, ended := map[key]int{}, map[key]int{}
	for _, e := range events {
		k := key{e.Info.ID, e.Info.Position}
		switch {
		case e.Kind == bgtasks.Accepted:
			accepted[k]++
		case isEnding(e.Kind):
			ended[k]++
		}
	}
	assert.Equal(t, accepted, ended)
	for k, n := range accepted {
		assert.Equal(t, 1, n, "%+v", k)
	}
}

func TestEventsCarryErrors(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	events := observe(run)
	ctx, list := open(run)
	add(t, ctx, "good", nothing)
	add(t, ctx, "bad", failing, bgtasks.Retry(2, every(0)))
	refusal := bgtasks.Add(ctx, "", nothing)
	list.Start(sent)
	drain(t, run)
	assert.NoError(t, events.ending(t, "good").Err)
	require.ErrorIs(t, events.ending(t, "bad").Err, errBroken)
	require.ErrorIs(t, events.of(bgtasks.Retried)[0].Err, errBroken)
	require.Error(t, refusal)
	assert.Equal(t, refusal, events.of(bgtasks.Refused)[0].Err)
}

func TestEventsCarryInfoAndOutcome(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	events := observe(run)
	ctx, list := open(run)
	add(t, ctx, "first", nothing)
	add(t, ctx, "task", failing, bgtasks.Retry(2, every(0)))
	want := bgtasks.Outcome{Status: 201, Bytes: 3, Sent: true}
	list.Start(want)
	drain(t, run)
	attempts := map[bgtasks.Kind]int{bgtasks.Accepted: 0, bgtasks.Started: 1, bgtasks.Retried: 1, bgtasks.Finished: 2}
	for _, e := range events.all() {
		assert.Equal(t, "/orders/{id}", e.Info.Route)
		assert.Equal(t, "POST", e.Info.Method)
		assert.Equal(t, "req-1", e.Info.RequestID)
		assert.False(t, e.Info.Added.IsZero())
		if e.Kind == bgtasks.Accepted {
			assert.Zero(t, e.Outcome, "not known yet")
			assert.True(t, e.Info.Started.IsZero())
		} else {
			assert.Equal(t, want, e.Outcome)
			assert.False(t, e.Info.Started.IsZero())
		}
		if e.Info.Name == "task" {
			assert.Equal(t, 2, e.Info.Position)
			assert.Equal(t, attempts[e.Kind], e.Info.Attempt, "%v", e.Kind)
		}
	}
}

func TestEventsMeasureTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const s = time.Second
		run := newRunner(bgtasks.Config{})
		events := observe(run)
		begin := time.Now()
		ctx, list := open(run)
		add(t, ctx, "a", stubborn(2*s))
		<-time.After(s)
		add(t, ctx, "b", func(ctx context.Context) error {
			<-time.After(5 * s)
			return errBroken
		}, bgtasks.Retry(2, every(10*s)))
		add(t, ctx, "skipped", nothing, bgtasks.Needs("b"))
		<-time.After(3 * s)
		list.Start(sent)
		settle(t, run)

		type times struct{ wait, elapsed time.Duration }
		got := map[string]times{}
		for _, e := range events.all() {
			got[e.Kind.String()+" "+e.Info.Name] = times{e.Wait, e.Elapsed}
		}
		assert.Equal(t, times{4 * s, 0}, got["started a"])
		assert.Equal(t, times{4 * s, 2 * s}, got["finished a"])
		assert.Equal(t, times{5 * s, 0}, got["started b"])
		assert.Equal(t, times{10 * s, 5 * s}, got["retried b"], "the pause, and the attempt")
		assert.Equal(t, times{5 * s, 20 * s}, got["finished b"], "with both attempts and the pause")
		assert.Equal(t, times{}, got["accepted a"])
		assert.Equal(t, begin.Add(s), events.ending(t, "b").Info.Added)
		assert.Equal(t, begin.Add(6*s), events.ending(t, "b").Info.Started)
		assert.True(t, events.ending(t, "skipped").Info.Started.IsZero())
	})
}

func TestSeveralObserversAreToldInTurn(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	for _, name := range []string{"1 ", "2 "} {
		run.Observe(func(e bgtasks.Event) { j.note(name + e.Kind.String()) })
	}
	ctx, list := open(run)
	add(t, ctx, "task", nothing)
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"1 accepted", "2 accepted", "1 started", "2 started", "1 finished", "2 finished"}, j.all())
}

func TestObserverThatPanicsIsLoggedAndHasNoOtherEffect(t *testing.T) {
	book, logger := newLogBook()
	run := newRunner(bgtasks.Config{Logger: logger, MaxRunning: 1})
	run.Observe(func(bgtasks.Event) { panic("observer broken") })
	events := observe(run)
	ctx, list := open(run)
	add(t, ctx, "a", failing, bgtasks.Retry(2, every(0)))
	add(t, ctx, "b", nothing)
	add(t, ctx, "gone", nothing)
	assert.Equal(t, 1, bgtasks.Forget(ctx, "gone"))
	require.Error(t, bgtasks.Add(ctx, "no", nil))
	list.Start(sent)
	drain(t, run)
	require.NoError(t, shutdownWithin(run, patience))
	assert.EqualValues(t, 1, run.Stats().Succeeded)
	checkEndings(t, events.all())
	found := false
	for _, line := range book.lines(t, slog.LevelError) {
		for _, v := range line {
			found = found || strings.Contains(fmt.Sprint(v), "observer broken")
		}
	}
	assert.True(t, found, "the panic is logged")
}

func TestObserverMayReadStats(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	var pending []int64
	run.Observe(func(bgtasks.Event) { pending = append(pending, run.Stats().Pending) })
	ctx, list := open(run)
	add(t, ctx, "task", nothing)
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []int64{1, 1, 0}, pending)
}

func TestRefusedEventsAreToldForEachRefusal(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxPending: 1})
	events := observe(run)
	ctx, list := open(run)
	add(t, ctx, "first", nothing)
	for range 100 {
		require.ErrorIs(t, bgtasks.Add(ctx, "more", nothing), bgtasks.ErrFull)
	}
	list.Start(sent)
	drain(t, run)
	refused := events.of(bgtasks.Refused)
	require.Len(t, refused, 100, "only the log is rate-limited")
	for _, e := range refused {
		assert.Equal(t, "more", e.Info.Name)
		assert.Equal(t, "/orders/{id}", e.Info.Route)
		require.ErrorIs(t, e.Err, bgtasks.ErrFull)
	}
}

func TestEventsOfAListAreInOrderWhileTheHandlerAdds(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	events := observe(run)
	ctx, list := open(run)
	done := make(chan struct{})
	for range 4 {
		go func() {
			for range 100 {
				assert.NoError(t, bgtasks.Add(ctx, "task", nothing))
				runtime.Gosched()
			}
			done <- struct{}{}
		}()
	}
	for range 4 {
		await(t, done, "the goroutines")
	}
	list.Start(sent)
	drain(t, run)
	for i, e := range events.of(bgtasks.Accepted) {
		require.Equal(t, i+1, e.Info.Position)
	}
	for i, e := range events.of(bgtasks.Finished) {
		require.Equal(t, i+1, e.Info.Position)
	}
	checkEndings(t, events.all())
}

func TestEventsOfWhatATaskAddsHaveTheOutcome(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	var statuses []int
	run.Observe(func(e bgtasks.Event) {
		if e.Kind == bgtasks.Accepted || e.Kind == bgtasks.Refused {
			statuses = append(statuses, e.Outcome.Status)
		}
	})
	ctx, list := open(run)
	add(t, ctx, "first", func(ctx context.Context) error {
		assert.Error(t, bgtasks.Add(ctx, "bad", nil))
		return bgtasks.Add(ctx, "second", nothing)
	})
	list.Start(bgtasks.Outcome{Status: 201, Sent: true})
	drain(t, run)
	assert.Equal(t, []int{0, 201, 201}, statuses)
}

func TestElapsedOfARetriedAttemptIsWithoutTheWaitFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRunner(bgtasks.Config{})
		var elapsed []time.Duration
		run.Observe(func(e bgtasks.Event) {
			if e.Kind == bgtasks.Retried {
				elapsed = append(elapsed, e.Elapsed)
			}
		})
		ctx, list := open(run)
		add(t, ctx, "task", func(context.Context) error { time.Sleep(time.Second); return errBroken },
			bgtasks.Retry(2, func(int, error) (time.Duration, bool) { time.Sleep(time.Minute); return 0, true }))
		list.Start(sent)
		settle(t, run)
		assert.Equal(t, []time.Duration{time.Second}, elapsed)
	})
}
