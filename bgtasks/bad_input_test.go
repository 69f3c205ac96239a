package bgtasks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A badInput is what Add must refuse, and what the error must say.
type badInput struct {
	name   string
	fn     bgtasks.Func
	opts   []bgtasks.Option
	saying []string
}

func badInputs() map[string]badInput {
	with := func(o bgtasks.Option, saying ...string) badInput {
		return badInput{"mail", nothing, []bgtasks.Option{o}, append(saying, `"mail"`)}
	}
	var noMiddleware bgtasks.Middleware
	return map[string]badInput{
		"empty name":             {"", nothing, nil, []string{"name"}},
		"nil fn":                 {"mail", nil, nil, []string{"nil", `"mail"`}},
		"Bind of nil":            {"mail", bgtasks.Bind[int](nil, 1), nil, []string{"nil", `"mail"`}},
		"nil option":             with(nil, "nil", "ption"),
		"negative Timeout":       with(bgtasks.Timeout(-time.Second), "Timeout", "-1s"),
		"Retry of 0 attempts":    with(bgtasks.Retry(0, every(0)), "Retry", "0"),
		"Retry of -1 attempts":   with(bgtasks.Retry(-1, every(0)), "Retry", "-1"),
		"Retry without wait":     with(bgtasks.Retry(3, nil), "Retry", "wait", "bgtasks.Backoff"),
		"When without cond":      with(bgtasks.When(nil), "When", "nil"),
		"Needs nothing":          with(bgtasks.Needs(), "Needs"),
		"Needs of an empty name": with(bgtasks.Needs("a", ""), "Needs", "empty"),
		"nil Middleware":         with(noMiddleware, "Middleware", "nil"),
		"a bad option after a good one": {"mail", nothing,
			[]bgtasks.Option{bgtasks.Timeout(1), bgtasks.Timeout(-1)}, []string{"Timeout"}},
	}
}

func TestBadInputIsRefusedWhenGivenAndNothingElseIsLost(t *testing.T) {
	for name, in := range badInputs() {
		t.Run(name, func(t *testing.T) {
			run, j := newRunner(bgtasks.Config{MaxPending: 2}), &journal{}
			events := observe(run)
			ctx, list := open(run)
			add(t, ctx, "before", j.noting("before", nothing))
			for range 3 { // no refusal takes up room
				checkRefusal(t, bgtasks.Add(ctx, in.name, in.fn, in.opts...), in.saying)
			}
			add(t, ctx, "after", j.noting("after", nothing))
			list.Start(sent)
			drain(t, run)
			assert.Equal(t, []string{"before", "after"}, j.all())
			assert.EqualValues(t, 3, run.Stats().Refused)
			assert.Len(t, events.of(bgtasks.Refused), 3)
			assert.Equal(t, 2, events.ending(t, "after").Info.Position)
		})
	}
}

func checkRefusal(t *testing.T, err error, saying []string) {
	t.Helper()
	require.Error(t, err)
	assert.Regexp(t, "^bgtasks: ", err.Error())
	for _, text := range saying {
		assert.Contains(t, err.Error(), text)
	}
	for _, other := range []error{bgtasks.ErrFull, bgtasks.ErrClosed, bgtasks.ErrNoList, bgtasks.ErrShutdown} {
		assert.False(t, errors.Is(err, other), "%v", err)
	}
}

func TestBadInputOfATaskIsRefused(t *testing.T) {
	for name, in := range badInputs() {
		run := newRunner(bgtasks.Config{})
		ctx, list := open(run)
		var err error
		add(t, ctx, "outer", func(ctx context.Context) error {
			err = bgtasks.Add(ctx, in.name, in.fn, in.opts...)
			return nil
		})
		list.Start(sent)
		drain(t, run)
		require.Error(t, err, name)
	}
}

func TestNilContextIsRefused(t *testing.T) {
	var none context.Context
	err := bgtasks.Add(none, "mail", nothing)
	require.ErrorIs(t, err, bgtasks.ErrNoList)
	assert.Contains(t, err.Error(), `"mail"`)
	assert.Equal(t, 0, bgtasks.Forget(none, "mail"))
}

func TestErrorsOfAddSayWhatToDo(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxPending: 1})
	ctx, list := open(run)
	add(t, ctx, "first", nothing)
	full := bgtasks.Add(ctx, "mail", nothing)
	list.Start(sent)
	closed := bgtasks.Add(ctx, "mail", nothing)
	drain(t, run)
	require.NoError(t, shutdownWithin(run, patience))
	ctx, _ = open(run)
	down := bgtasks.Add(ctx, "mail", nothing)
	missing := bgtasks.Add(context.Background(), "mail", nothing)
	for _, c := range []struct {
		err, is error
		saying  string
	}{
		{full, bgtasks.ErrFull, "Config.MaxPending"},
		{closed, bgtasks.ErrClosed, "a task adds with its own context"},
		{down, bgtasks.ErrShutdown, "shutting down"},
		{missing, bgtasks.ErrNoList, "install chimw.BackgroundTasks"},
	} {
		require.ErrorIs(t, c.err, c.is)
		assert.Regexp(t, "^bgtasks: ", c.err.Error())
		assert.Contains(t, c.err.Error(), c.saying)
		assert.Contains(t, c.err.Error(), `"mail"`)
	}
}
