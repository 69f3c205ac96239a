package bgtest_test

import (
	"context"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtest"
)

func TestAnUnexpectedFailureFailsTheTest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fn   bgtasks.Func
		text []string
	}{
		{"Error", failing, []string{`bgtest: task "mail" of POST /orders/{id} failed: server down`, "ExpectFailure"}},
		{"Panic", func(context.Context) error { panic("kaboom") }, []string{`task "mail" of POST /orders/{id} failed: bgtasks: task panicked: kaboom`, "end_test.go:"}},
		{"Goexit", func(context.Context) error { runtime.Goexit(); return nil }, []string{`failed: bgtasks: the task called runtime.Goexit`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := try(func(ft *fakeT) {
				k := bgtest.New(ft, bgtasks.Config{})
				k.Do(adding(k.Runner, add("log", nothing), add("mail", c.fn)), post())
				assert.False(t, ft.Failed(), "it can be expected until the test ends")
			})
			require.Len(t, got.errors, 1)
			for _, text := range c.text {
				assert.Contains(t, got.text(), text)
			}
			got = try(func(ft *fakeT) {
				k := bgtest.New(ft, bgtasks.Config{})
				k.Do(adding(k.Runner, add("log", nothing), add("mail", c.fn)), post())
				k.ExpectFailure("mail")
			})
			assert.Empty(t, got.text())
		})
	}
}

func TestAnExpectedFailureHasToCome(t *testing.T) {
	t.Parallel()
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.ExpectFailure("mail", "audit")
		k.Do(adding(k.Runner, add("mail", nothing), add("audit", failing)), post())
	})
	require.Len(t, got.errors, 1)
	assert.Contains(t, got.text(), "bgtest: ExpectFailure: no task \"mail\" has failed\n\ttask \"mail\" of POST /orders/{id} succeeded")
}

func TestATestThatHasFailedIsNotToldWhatItDidNotComeTo(t *testing.T) {
	t.Parallel()
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.ExpectFailure("mail")
		k.Hang("audit")
		ft.Errorf("the real reason")
	})
	assert.Equal(t, "the real reason", got.text())
}

func TestTasksThatTheTestDidNotWaitForAreWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			serve(adding(k.Runner, add("slow", func(context.Context) error {
				time.Sleep(time.Hour)
				return errDown
			})))
		})
		assert.Contains(t, got.text(), `task "slow" of POST /orders/{id} failed: server down`)
	})
}

func TestTasksThatHangWhenTheTestEndsAreNamedAndCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cause error
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			serve(adding(k.Runner, add("stuck", func(ctx context.Context) error {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return nil
			})))
		})
		require.Len(t, got.errors, 1)
		assert.Contains(t, got.text(), `at the end of the test: bgtest: not all has ended within 24h0m0s`)
		assert.Contains(t, got.text(), `task "stuck" of POST /orders/{id} has been running`)
		assert.ErrorIs(t, cause, bgtasks.ErrShutdown)
	})
}

func TestAHangIsNoReasonToWaitWhenTheTestEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			k.Hang("mail")
			serve(adding(k.Runner, add("mail", nothing)))
			synctest.Wait()
			k.WantRan("mail")
		})
		assert.Empty(t, got.text())
		assert.Zero(t, time.Since(began))
		assert.Contains(t, got.logged(), `1 unfinished: "mail"`)
	})
}

func TestTasksThatIgnoreTheirContextAreReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			k.Do(adding(k.Runner, add("deaf", func(context.Context) error { <-free; return nil })), post())
		})
		require.Len(t, got.errors, 2)
		assert.Contains(t, got.errors[1], `tasks do not return though their context ended 5s ago`)
		assert.Contains(t, got.errors[1], `"deaf"`)

		lines := got.logged()
		close(free)
		synctest.Wait()
		assert.Equal(t, lines, got.logged(), "nothing is logged when the test is over")
	})
}

func TestTheRunnerShutsDownInOrderWhenTheTestEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		flushed := false
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			k.Runner.OnShutdown(func(ctx context.Context) error {
				time.Sleep(time.Second)
				flushed = ctx.Err() == nil
				return nil
			})
			k.Do(adding(k.Runner, add("task", nothing)), post())
		})
		assert.Empty(t, got.text())
		assert.True(t, flushed)
	})
}

func TestShutdownThatFailsFailsTheTest(t *testing.T) {
	t.Parallel()
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.Runner.OnShutdown(func(context.Context) error { return errDown })
		k.Do(adding(k.Runner, add("task", nothing)), post())
	})
	assert.Contains(t, got.text(), errDown.Error())
}

// Not parallel, so that all goroutines are its own.
func TestNoGoroutineIsLeft(t *testing.T) {
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.Hang("mail")
		k.Panic("log", "kaboom")
		serve(adding(k.Runner, add("log", nothing), add("mail", nothing)))
		k.Hold()
		serve(adding(k.Runner, add("held", nothing)))
	})
	require.Empty(t, got.text())
	var stacks string
	for range 1000 { // a goroutine that has said it is done may have some instructions left
		var b strings.Builder
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 2))
		if stacks = b.String(); !strings.Contains(stacks, "bgtasks.(*Runner)") && !strings.Contains(stacks, "bgtest.(*Kit)") {
			return
		}
		runtime.Gosched()
	}
	t.Error(stacks)
}
