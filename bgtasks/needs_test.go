package bgtasks_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A step is a task for the tables below.
type step struct {
	name string
	fn   bgtasks.Func
	opts []bgtasks.Option
}

func needs(names ...string) []bgtasks.Option { return []bgtasks.Option{bgtasks.Needs(names...)} }

// ran runs the steps as one list and returns which of them ran, with what was reported.
func ran(t *testing.T, cfg bgtasks.Config, steps ...step) ([]string, *eventBook) {
	t.Helper()
	run, j := newRunner(cfg), &journal{}
	events := observe(run)
	ctx, list := open(run)
	for _, s := range steps {
		add(t, ctx, s.name, j.noting(s.name, s.fn), s.opts...)
	}
	list.Start(sent)
	drain(t, run)
	return j.all(), events
}

func TestNeedsRunsTheTaskAfterASuccessOnly(t *testing.T) {
	no := []bgtasks.Option{bgtasks.When(bgtasks.Outcome.Failed)}
	second, _ := succeedsAt(2)
	for name, c := range map[string]struct {
		before []step
		needs  []string
		runs   bool
	}{
		"success":                        {[]step{{"a", nothing, nil}}, []string{"a"}, true},
		"error":                          {[]step{{"a", failing, nil}}, []string{"a"}, false},
		"panic":                          {[]step{{"a", panics, nil}}, []string{"a"}, false},
		"Goexit":                         {[]step{{"a", exiting, nil}}, []string{"a"}, false},
		"skipped by When":                {[]step{{"a", nothing, no}}, []string{"a"}, false},
		"never added":                    {nil, []string{"a"}, false},
		"itself":                         {nil, []string{"task"}, false},
		"success after a retry":          {[]step{{"a", second, []bgtasks.Option{bgtasks.Retry(2, every(0))}}}, []string{"a"}, true},
		"two, both succeed":              {[]step{{"a", nothing, nil}, {"b", nothing, nil}}, []string{"a", "b"}, true},
		"two, the first fails":           {[]step{{"a", failing, nil}, {"b", nothing, nil}}, []string{"a", "b"}, false},
		"two, the second fails":          {[]step{{"a", nothing, nil}, {"b", failing, nil}}, []string{"a", "b"}, false},
		"two, one never added":           {[]step{{"a", nothing, nil}}, []string{"a", "b"}, false},
		"same name, both succeed":        {[]step{{"a", nothing, nil}, {"a", nothing, nil}}, []string{"a"}, true},
		"same name, the first fails":     {[]step{{"a", failing, nil}, {"a", nothing, nil}}, []string{"a"}, false},
		"same name, the second fails":    {[]step{{"a", nothing, nil}, {"a", failing, nil}}, []string{"a"}, false},
		"named twice":                    {[]step{{"a", nothing, nil}}, []string{"a", "a"}, true},
		"what it doesn't need may fail":  {[]step{{"a", nothing, nil}, {"b", failing, nil}}, []string{"a"}, true},
		"other names don't count as one": {[]step{{"a1", nothing, nil}}, []string{"a"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			steps := append(c.before, step{"task", nothing, needs(c.needs...)}, step{"last", nothing, nil})
			names, events := ran(t, bgtasks.Config{}, steps...)
			assert.Equal(t, c.runs, len(names) > 1 && names[len(names)-2] == "task")
			assert.Equal(t, "last", names[len(names)-1])
			if !c.runs {
				end := events.ending(t, "task")
				assert.Equal(t, bgtasks.Skipped, end.Kind)
				require.ErrorIs(t, end.Err, bgtasks.ErrSkipped)
			}
		})
	}
}

func TestNeedsGivenTwiceMeansAll(t *testing.T) {
	both := append(needs("a"), needs("b")...)
	for _, c := range []struct {
		a, b bgtasks.Func
		runs bool
	}{{nothing, nothing, true}, {failing, nothing, false}, {nothing, failing, false}} {
		names, _ := ran(t, bgtasks.Config{}, step{"a", c.a, nil}, step{"b", c.b, nil}, step{"c", nothing, both})
		assert.Equal(t, c.runs, len(names) == 3)
	}
}

func TestReasonOfASkipNamesWhatWasMissing(t *testing.T) {
	_, events := ran(t, bgtasks.Config{},
		step{"charge", nothing, nil}, step{"invoice", failing, nil}, step{"mail", nothing, needs("charge", "invoice")})
	err := events.ending(t, "mail").Err
	assert.Contains(t, err.Error(), `"invoice"`)
	assert.NotContains(t, err.Error(), `"charge"`)
}

func TestNeedsAppliesAlongAChain(t *testing.T) {
	names, _ := ran(t, bgtasks.Config{},
		step{"a", failing, nil}, step{"b", nothing, needs("a")}, step{"c", nothing, needs("b")}, step{"d", nothing, nil})
	assert.Equal(t, []string{"a", "d"}, names)
	names, _ = ran(t, bgtasks.Config{},
		step{"a", nothing, nil}, step{"b", nothing, needs("a")}, step{"c", nothing, needs("b")})
	assert.Equal(t, []string{"a", "b", "c"}, names)
}

func TestNeedsLooksAtEarlierTasksOnly(t *testing.T) {
	names, _ := ran(t, bgtasks.Config{}, step{"b", nothing, needs("a")}, step{"a", nothing, nil})
	assert.Equal(t, []string{"a"}, names)
	names, _ = ran(t, bgtasks.Config{},
		step{"a", nothing, nil}, step{"b", nothing, needs("a")}, step{"a", failing, nil})
	assert.Equal(t, []string{"a", "b", "a"}, names, "a later failure doesn't matter")
}

func TestNeedsOfAForgottenTask(t *testing.T) {
	for name, again := range map[string]bool{"taken back": false, "taken back and added again": true} {
		t.Run(name, func(t *testing.T) {
			run, j := newRunner(bgtasks.Config{}), &journal{}
			ctx, list := open(run)
			add(t, ctx, "a", nothing)
			require.Equal(t, 1, bgtasks.Forget(ctx, "a"))
			if again {
				add(t, ctx, "a", nothing)
			}
			add(t, ctx, "b", j.noting("b", nothing), bgtasks.Needs("a"))
			list.Start(sent)
			drain(t, run)
			assert.Empty(t, j.all(), "one that was taken back is a reason to skip")
		})
	}
}

func TestNeedsOfATaskForgottenByAnEarlierOne(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "first", func(ctx context.Context) error { bgtasks.Forget(ctx, "a"); return nil })
	add(t, ctx, "a", j.noting("a", nothing))
	add(t, ctx, "b", j.noting("b", nothing), bgtasks.Needs("a"))
	list.Start(sent)
	drain(t, run)
	assert.Empty(t, j.all())
}

func TestNeedsOfANestedTask(t *testing.T) {
	for name, fails := range map[string]bool{"its parent succeeds": false, "its parent fails": true} {
		t.Run(name, func(t *testing.T) {
			run, j := newRunner(bgtasks.Config{}), &journal{}
			ctx, list := open(run)
			add(t, ctx, "parent", func(ctx context.Context) error {
				require.NoError(t, bgtasks.Add(ctx, "child", j.noting("child", nothing), bgtasks.Needs("parent")))
				if fails {
					return errBroken
				}
				return nil
			})
			list.Start(sent)
			drain(t, run)
			assert.Equal(t, !fails, len(j.all()) == 1)
		})
	}
}

func TestNeedsIsPerList(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "a", nothing)
	list.Start(sent)
	drain(t, run)
	ctx, list = open(run)
	add(t, ctx, "b", j.noting("b", nothing), bgtasks.Needs("a"))
	list.Start(sent)
	drain(t, run)
	assert.Empty(t, j.all())
}

func TestNeedsRemembersTheResultsOfALongList(t *testing.T) {
	for _, length := range []int{50, 63, 64, 65, 199, 200, 201, 255, 256, 257, 1000, 3000} {
		run, j := newRunner(bgtasks.Config{}), &journal{}
		ctx, list := open(run)
		add(t, ctx, "good", nothing)
		add(t, ctx, "bad", failing)
		add(t, ctx, "forgotten", nothing)
		bgtasks.Forget(ctx, "forgotten")
		for i := range length {
			add(t, ctx, fmt.Sprint("filler ", i), nothing)
		}
		add(t, ctx, "needs good", j.noting("needs good", nothing), bgtasks.Needs("good"))
		add(t, ctx, "needs bad", j.noting("needs bad", nothing), bgtasks.Needs("bad"))
		add(t, ctx, "needs both", j.noting("needs both", nothing), bgtasks.Needs("good", "bad"))
		add(t, ctx, "needs forgotten", j.noting("needs forgotten", nothing), bgtasks.Needs("forgotten"))
		list.Start(sent)
		drain(t, run)
		assert.Equal(t, []string{"needs good"}, j.all(), "%d tasks between", length)
	}
}

func TestNeedsRemembersTheResultsOfAListThatKeepsGrowing(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	for _, s := range []step{
		{"good", nothing, nil}, {"bad", failing, nil},
		{"first bad", failing, nil}, {"first bad", nothing, nil},
		{"last bad", nothing, nil}, {"last bad", failing, nil}, {"forgotten", nothing, nil},
	} {
		add(t, ctx, s.name, s.fn)
	}
	bgtasks.Forget(ctx, "forgotten")
	rounds := 0
	var round bgtasks.Func
	round = func(ctx context.Context) error {
		if rounds++; rounds < 2000 {
			return bgtasks.Add(ctx, "round", round)
		}
		for _, name := range []string{"good", "bad", "first bad", "last bad", "forgotten", "round"} {
			require.NoError(t, bgtasks.Add(ctx, "after "+name, j.noting(name, nothing), bgtasks.Needs(name)))
		}
		return nil
	}
	add(t, ctx, "round", round)
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"good", "round"}, j.all())
}
