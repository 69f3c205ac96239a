package bgtasks_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestStopOnErrorSkipsTheRestOfTheList(t *testing.T) {
	for name, fn := range map[string]bgtasks.Func{
		"error": failing, "panic": panics, "Goexit": exiting,
	} {
		t.Run(name, func(t *testing.T) {
			for stop, want := range map[bool][]string{
				true:  {"a", "bad"},
				false: {"a", "bad", "c", "d"},
			} {
				names, events := ran(t, bgtasks.Config{StopOnError: stop},
					step{"a", nothing, nil}, step{"bad", fn, nil}, step{"c", nothing, nil}, step{"d", nothing, nil})
				assert.Equal(t, want, names)
				assert.Equal(t, bgtasks.Finished, events.ending(t, "bad").Kind)
				for _, e := range events.of(bgtasks.Skipped) {
					require.ErrorIs(t, e.Err, bgtasks.ErrSkipped)
					assert.Contains(t, e.Err.Error(), "StopOnError")
					assert.Contains(t, e.Err.Error(), `"bad"`)
				}
				assert.Equal(t, stop, len(events.of(bgtasks.Skipped)) == 2)
			}
		})
	}
}

func TestStopOnErrorSkipsWhatTheFailedTaskAdded(t *testing.T) {
	run, j := newRunner(bgtasks.Config{StopOnError: true}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "bad", func(ctx context.Context) error {
		require.NoError(t, bgtasks.Add(ctx, "nested", j.noting("nested", nothing)))
		return errBroken
	})
	list.Start(sent)
	drain(t, run)
	assert.Empty(t, j.all())
	assert.EqualValues(t, 1, run.Stats().Skipped)
}

func TestStopOnErrorDoesNotTakeASkipForAFailure(t *testing.T) {
	no := []bgtasks.Option{bgtasks.When(bgtasks.Outcome.Failed)}
	names, _ := ran(t, bgtasks.Config{StopOnError: true},
		step{"not wanted", nothing, no}, step{"unmet", nothing, needs("nobody")}, step{"last", nothing, nil})
	assert.Equal(t, []string{"last"}, names)
}

func TestStopOnErrorCountsTheLastAttemptOnly(t *testing.T) {
	fn, _ := succeedsAt(2)
	names, _ := ran(t, bgtasks.Config{StopOnError: true},
		step{"a", fn, []bgtasks.Option{bgtasks.Retry(2, every(0))}}, step{"b", nothing, nil})
	assert.Equal(t, []string{"a", "a", "b"}, names)
}

func TestStopOnErrorIsPerList(t *testing.T) {
	run, j := newRunner(bgtasks.Config{StopOnError: true, MaxRunning: 1}), &journal{}
	for _, name := range []string{"first", "second"} {
		ctx, list := open(run)
		add(t, ctx, "bad", j.noting(name+" bad", failing))
		add(t, ctx, "rest", j.noting(name+" rest", nothing))
		list.Start(sent)
	}
	drain(t, run)
	assert.Equal(t, []string{"first bad", "second bad"}, j.all())
}
