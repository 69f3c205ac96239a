package bgtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtest"
)

// seeing is a middleware that keeps the errors which come to it.
func seeing(errs *[]error) bgtasks.Middleware {
	return func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			err := next(ctx)
			*errs = append(*errs, err)
			return err
		}
	}
}

func TestFaultsComeToAllMiddlewareAndToRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		var outer, inner []error
		k.Runner.Use(seeing(&outer))
		ran := 0
		k.Fail("mail", errDown, nil)
		k.Do(adding(k.Runner, add("mail", func(context.Context) error { ran++; return nil }, twice, seeing(&inner))), post())
		assert.Equal(t, []error{errDown, nil}, outer)
		assert.Equal(t, outer, inner)
		assert.Equal(t, 1, ran)
		assert.NoError(t, k.Task("mail").Err)
	})
}

func TestFailGoesByAttempt(t *testing.T) {
	t.Parallel()
	other := errors.New("other")
	for _, c := range []struct {
		name string
		more []error
		want []error
	}{
		{"OneErrorIsForAll", nil, []error{errDown, errDown, errDown}},
		{"EachOnce", []error{other, nil}, []error{errDown, other, nil}},
		{"TheLastIsForTheRest", []error{other}, []error{errDown, other, other}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := bgtest.New(t, bgtasks.Config{})
			var seen []error
			k.Fail("mail", errDown, c.more...)
			at := bgtasks.Retry(3, func(int, error) (time.Duration, bool) { return 0, true })
			k.Do(adding(k.Runner, add("mail", nothing, at, seeing(&seen))), post())
			assert.Equal(t, c.want, seen)
		})
	}
}

func TestAFaultIsForItsNameOnlyAndCanBeLifted(t *testing.T) {
	t.Parallel()
	k := bgtest.New(t, bgtasks.Config{})
	h := adding(k.Runner, add("mail", nothing), add("log", nothing))
	k.Fail("mail", errDown)
	k.Do(h, post())
	k.Fail("mail", nil)
	k.Do(h, post())
	var errs []error
	for _, e := range k.Tasks() {
		errs = append(errs, e.Err)
	}
	assert.Equal(t, []error{errDown, nil, nil, nil}, errs)
}

func TestAPanicIsReportedAsInProduction(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		opts []bgtasks.Option
	}{{"Plain", nil}, {"Retry", []bgtasks.Option{twice}}, {"Middleware", []bgtasks.Option{seeing(new([]error))}}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := bgtest.New(t, bgtasks.Config{})
			k.Panic("mail", errDown)
			k.Do(adding(k.Runner, add("mail", nothing, c.opts...), add("log", nothing)), post())
			var p *bgtasks.PanicError
			require.ErrorAs(t, k.Task("mail").Err, &p)
			assert.Equal(t, errDown, p.Value)
			assert.Contains(t, string(p.Stack), "(*Kit).Panic")
			assert.Equal(t, 1, k.Task("mail").Info.Attempt, "panics are not retried")
			assert.EqualValues(t, 1, k.Runner.Stats().Panicked)
			k.WantRan("mail", "log")
		})
	}
}

func TestHangEndsWithTheTimeoutOfEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		k.Hang("mail")
		began := time.Now()
		k.Do(adding(k.Runner, add("mail", nothing, bgtasks.Timeout(time.Minute),
			bgtasks.Retry(3, func(int, error) (time.Duration, bool) { return time.Hour, true }))), post())
		assert.Equal(t, 3*time.Minute+2*time.Hour, time.Since(began))
		assert.ErrorIs(t, k.Task("mail").Err, bgtasks.ErrTimeout)
		assert.ErrorIs(t, k.Task("mail").Err, context.DeadlineExceeded)
		assert.Equal(t, 3, k.Task("mail").Info.Attempt)
	})
}

func TestHangEndsWithAShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := bgtest.New(t, bgtasks.Config{})
		k.Hang("mail")
		go k.Do(adding(k.Runner, add("mail", nothing)), post())
		synctest.Wait()
		k.WantRan("mail")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var unfinished *bgtasks.ShutdownError
		require.ErrorAs(t, k.Runner.Shutdown(ctx), &unfinished)
		assert.Equal(t, "mail", unfinished.Unfinished[0].Name)
	})
}

func TestHangWithoutATimeoutFailsTheTest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := try(func(ft *fakeT) {
			k := bgtest.New(ft, bgtasks.Config{})
			k.Hang("mail")
			k.Do(adding(k.Runner, add("mail", nothing)), post())
		})
		assert.Contains(t, got.text(), `task "mail" of POST /orders/{id} has been running for 24h0m0s`)
	})
}

func TestAFaultForNoTaskFailsTheTest(t *testing.T) {
	t.Parallel()
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.Fail("male", errDown)
		k.Do(adding(k.Runner, add("mail", nothing)), post())
	})
	assert.Equal(t, `bgtest: a fault was put in the place of task "male", but none was added`+
		"\n\ttask \"mail\" of POST /orders/{id} succeeded", got.text())
}

func TestOnlyTheFaultItselfIsExpectedToFail(t *testing.T) {
	t.Parallel()
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.Fail("mail", errors.New("injected"), nil)
		at := bgtasks.Retry(2, func(int, error) (time.Duration, bool) { return 0, true })
		k.Do(adding(k.Runner, add("mail", failing, at)), post())
	})
	assert.Contains(t, got.text(), `bgtest: task "mail" of POST /orders/{id} failed in attempt 2: server down`)
}
