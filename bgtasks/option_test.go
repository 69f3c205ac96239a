package bgtasks_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestOutcomeOKAndFailed(t *testing.T) {
	for _, c := range []struct {
		outcome bgtasks.Outcome
		ok      bool
	}{
		{bgtasks.Outcome{Status: 200, Sent: true}, true},
		{bgtasks.Outcome{Status: 200, Sent: false}, true},
		{bgtasks.Outcome{Status: 204}, true},
		{bgtasks.Outcome{Status: 302}, true},
		{bgtasks.Outcome{Status: 399}, true},
		{bgtasks.Outcome{Status: 400}, false},
		{bgtasks.Outcome{Status: 503, Sent: true}, false},
		{bgtasks.Outcome{Status: 200, Panicked: true}, false},
		{bgtasks.Outcome{Status: 200, Aborted: true}, false},
		{bgtasks.Outcome{Status: 0, Panicked: true}, false},
	} {
		assert.Equal(t, c.ok, c.outcome.OK(), "%+v", c.outcome)
		assert.Equal(t, !c.ok, c.outcome.Failed(), "%+v", c.outcome)
	}
}

func TestWhenRunsTheTaskOnlyForTheOutcomeWanted(t *testing.T) {
	for status, want := range map[int][]string{
		200: {"always", "if ok"},
		500: {"always", "if failed"},
	} {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		add(t, ctx, "always", j.noting("always", nothing))
		add(t, ctx, "if ok", j.noting("if ok", nothing), bgtasks.When(bgtasks.Outcome.OK))
		add(t, ctx, "if failed", j.noting("if failed", nothing), bgtasks.When(bgtasks.Outcome.Failed))
		list.Start(bgtasks.Outcome{Status: status, Sent: true})
		drain(t, run)
		assert.Equal(t, want, j.all())
		assert.EqualValues(t, 1, run.Stats().Skipped)
	}
}

func TestWhenGivenTwiceWantsBoth(t *testing.T) {
	yes := bgtasks.When(func(bgtasks.Outcome) bool { return true })
	no := bgtasks.When(func(bgtasks.Outcome) bool { return false })
	run, j := newRunner(bgtasks.Config{}), &journal{}
	events := observe(run)
	ctx, list := open(run)
	add(t, ctx, "yes yes", j.noting("yes yes", nothing), yes, yes)
	add(t, ctx, "yes no", j.noting("yes no", nothing), yes, no)
	add(t, ctx, "no yes", j.noting("no yes", nothing), no, yes)
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"yes yes"}, j.all())
	for _, name := range []string{"yes no", "no yes"} {
		end := events.ending(t, name)
		assert.Equal(t, bgtasks.Skipped, end.Kind)
		require.ErrorIs(t, end.Err, bgtasks.ErrSkipped)
		assert.Contains(t, end.Err.Error(), "When")
	}
}

func TestWhenIsAskedWithTheOutcomeGivenToStart(t *testing.T) {
	want := bgtasks.Outcome{Status: 418, Bytes: 12, Sent: true, Hijacked: true, Panicked: true, Aborted: true}
	var asked, seen bgtasks.Outcome
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	_, ok := bgtasks.OutcomeFrom(ctx)
	assert.False(t, ok, "in a handler")
	add(t, ctx, "task", func(ctx context.Context) error {
		seen, ok = bgtasks.OutcomeFrom(ctx)
		return nil
	}, bgtasks.When(func(o bgtasks.Outcome) bool { asked = o; return true }))
	list.Start(want)
	drain(t, run)
	assert.True(t, ok)
	assert.Equal(t, want, seen)
	assert.Equal(t, want, asked)
	_, ok = bgtasks.OutcomeFrom(context.Background())
	assert.False(t, ok)
}

func TestInfoFromDescribesTheTask(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	_, ok := bgtasks.InfoFrom(ctx)
	assert.False(t, ok, "in a handler")
	_, ok = bgtasks.InfoFrom(context.Background())
	assert.False(t, ok)
	var infos []bgtasks.Info
	tell := func(ctx context.Context) error {
		info, ok := bgtasks.InfoFrom(context.WithValue(ctx, userKey{}, "ann"))
		assert.True(t, ok)
		infos = append(infos, info)
		return nil
	}
	add(t, ctx, "a", tell)
	add(t, ctx, "b", func(ctx context.Context) error {
		require.NoError(t, tell(ctx))
		return bgtasks.Add(ctx, "c", tell)
	})
	list.Start(sent)
	drain(t, run)

	require.Len(t, infos, 3)
	for i, name := range []string{"a", "b", "c"} {
		got := infos[i]
		assert.Equal(t, name, got.Name)
		assert.Equal(t, i+1, got.Position)
		assert.Equal(t, 1, got.Attempt)
		assert.Equal(t, "/orders/{id}", got.Route)
		assert.Equal(t, "POST", got.Method)
		assert.Equal(t, "req-1", got.RequestID)
		assert.Equal(t, infos[0].ID, got.ID)
		assert.False(t, got.Added.IsZero())
		assert.False(t, got.Started.Before(got.Added))
	}
}

func TestListsHaveDifferentIDs(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ids := make(chan uint64, 100)
	for range cap(ids) {
		ctx, list := open(run)
		add(t, ctx, "task", func(ctx context.Context) error {
			info, _ := bgtasks.InfoFrom(ctx)
			ids <- info.ID
			return nil
		})
		list.Start(sent)
	}
	drain(t, run)
	seen := map[uint64]bool{}
	for range cap(ids) {
		seen[<-ids] = true
	}
	assert.Len(t, seen, cap(ids))
}

func TestOrderOfTimeoutAndRetryDoesNotMatter(t *testing.T) {
	limit := bgtasks.Timeout(time.Second)
	again := bgtasks.Retry(3, bgtasks.Backoff(0, 0))
	for _, opts := range [][]bgtasks.Option{{limit, again}, {again, limit}} {
		synctest.Test(t, func(t *testing.T) {
			run, attempts := newRunner(bgtasks.Config{}), 0
			ctx, list := open(run)
			begin := time.Now()
			add(t, ctx, "task", func(ctx context.Context) error {
				attempts++
				return obedient(time.Hour)(ctx)
			}, opts...)
			list.Start(sent)
			settle(t, run)
			assert.Equal(t, 3, attempts)
			assert.Equal(t, 3*time.Second, time.Since(begin), "the timeout is one attempt's")
		})
	}
}

func TestOneOptionServesManyTasks(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	again := bgtasks.Retry(2, bgtasks.Backoff(0, 0))
	needs := bgtasks.Needs("first")
	attempts := 0
	for range 3 {
		ctx, list := open(run)
		add(t, ctx, "first", nothing)
		for range 3 {
			add(t, ctx, "task", func(context.Context) error { attempts++; return errBroken }, again, needs)
		}
		list.Start(sent)
		drain(t, run)
	}
	assert.Equal(t, 3*3*2, attempts)
}

func TestKindNames(t *testing.T) {
	for kind, name := range map[bgtasks.Kind]string{
		bgtasks.Accepted: "accepted", bgtasks.Refused: "refused", bgtasks.Started: "started",
		bgtasks.Retried: "retried", bgtasks.Skipped: "skipped", bgtasks.Forgotten: "forgotten",
		bgtasks.Finished: "finished", bgtasks.Unfinished: "unfinished",
	} {
		assert.Equal(t, name, kind.String())
	}
	assert.NotPanics(t, func() { _ = bgtasks.Kind(0).String(); _ = bgtasks.Kind(200).String() })
}
