package bgtest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtest"
)

func TestTheRecordTellsWhatBecameOfEachTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{MaxPending: 5})
		tries := 0
		k.ExpectFailure("broken")
		res := k.Do(app(k.Runner, func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			_ = bgtasks.Add(ctx, "slow", func(context.Context) error { time.Sleep(time.Minute); return nil })
			_ = bgtasks.Add(ctx, "broken", failing)
			_ = bgtasks.Add(ctx, "skipped", nothing, bgtasks.Needs("broken"))
			_ = bgtasks.Add(ctx, "taken back", nothing)
			_ = bgtasks.Add(ctx, "retried", func(context.Context) error {
				if tries++; tries < 2 {
					return errDown
				}
				return nil
			}, bgtasks.Retry(5, func(int, error) (time.Duration, bool) { return time.Second, true }))
			bgtasks.Forget(ctx, "taken back")
			_ = bgtasks.Add(ctx, "fits", nothing)
			_ = bgtasks.Add(ctx, "refused", nothing)
			w.WriteHeader(http.StatusAccepted)
		}), post())
		require.Equal(t, http.StatusAccepted, res.Code)

		assert.Equal(t, []string{"slow", "broken", "retried", "fits"}, k.Ran())
		assert.Equal(t, []string{"skipped"}, k.Names(bgtasks.Skipped))
		assert.Equal(t, []string{"taken back"}, k.Names(bgtasks.Forgotten))
		assert.Equal(t, []string{"refused"}, k.Names(bgtasks.Refused))
		assert.Equal(t, []string{"slow", "broken", "retried", "fits"}, k.Names(bgtasks.Finished))
		assert.Empty(t, k.Names(bgtasks.Accepted))
		assert.Len(t, k.Tasks(), 7)

		assert.Equal(t, time.Minute, k.Task("slow").Elapsed)
		assert.NoError(t, k.Task("slow").Err)
		assert.ErrorIs(t, k.Task("broken").Err, errDown)
		assert.Equal(t, time.Minute, k.Task("broken").Wait)
		assert.ErrorIs(t, k.Task("skipped").Err, bgtasks.ErrSkipped)
		assert.ErrorIs(t, k.Task("refused").Err, bgtasks.ErrFull)
		assert.Equal(t, 2, k.Task("retried").Info.Attempt)
		assert.Equal(t, time.Second, k.Task("retried").Elapsed)
		assert.NoError(t, k.Task("retried").Err)
		assert.Equal(t, bgtasks.Forgotten, k.Task("taken back").Kind)
		assert.Equal(t, http.StatusAccepted, k.Task("slow").Outcome.Status)
	})
}

func TestTheRecordIsTheCallersToChange(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	k.Do(adding(k.Runner, add("task", nothing)), post())
	k.Ran()[0], k.Tasks()[0].Info.Name = "other", "other"
	k.WantRan("task")
	assert.Equal(t, "task", k.Task("task").Info.Name)
}

func TestTaskWantsJustOne(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"twice": "there are 2 tasks of the name \"twice\", want one\n\ttask \"twice\" of POST /orders/{id} succeeded\n\t",
		"never": `there are 0 tasks of the name "never", want one`,
	} {
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			k.Do(adding(k.Runner, add("twice", nothing), add("twice", nothing)), post())
			k.Task(name)
			t.Error("Task has to end the test")
		})
		assert.True(t, got.stopped)
		assert.Contains(t, got.text(), text)
	}
}

func TestWantSaysWhatBecameOfAllTasks(t *testing.T) {
	t.Parallel()
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.Fail("mail", errDown)
		k.Do(adding(k.Runner, add("log", nothing), add("mail", nothing, twice),
			add("audit", nothing, bgtasks.Needs("mail"))), post())
		k.WantRan("log", "mail")
		k.Want(bgtasks.Skipped, "audit")
		k.Want(bgtasks.Forgotten)
		assert.Empty(t, ft.text())
		k.WantRan("log", "audit")
		k.Want(bgtasks.Skipped)
		assert.False(t, ft.stopped, "a Want goes on, as assert does")
	})
	require.Len(t, got.errors, 2)
	assert.Equal(t, `bgtest: tasks that ran: ["log" "mail"], want ["log" "audit"]
	task "log" of POST /orders/{id} succeeded
	task "mail" of POST /orders/{id} failed in attempt 2: server down
	task "audit" of POST /orders/{id} was skipped: bgtasks: task skipped: it needs "mail", which has not succeeded`, got.errors[0])
	assert.Contains(t, got.errors[1], `bgtest: tasks that skipped: ["audit"], want []`)
}

func TestWantSaysWhereTheRunnerMayBeAnother(t *testing.T) {
	t.Parallel()
	other := bgtest.New(t, bgtasks.Config{})
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.Do(adding(other.Runner, add("log", nothing)), post())
		k.WantRan("log")
	})
	assert.Contains(t, got.text(), "no task was added: does the router under test use the kit's Runner?")
}
