package bgtasks_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestHostIsCalledInTurn(t *testing.T) {
	run, h := newRunner(bgtasks.Config{}), &host{}
	h.end = func() error { h.note("end"); return nil }
	ctx, list := hosted(run, h)
	add(t, ctx, "a", func(ctx context.Context) error {
		h.note("a")
		return bgtasks.Add(ctx, "nested", h.noting("nested", nothing))
	})
	add(t, ctx, "b", h.noting("b", nothing))
	require.True(t, list.Await(sent))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{
		"capture", "capture", "cleanup", "detach, returned: true", "a", "b", "nested", "end",
	}, sortedHead(h.all(), 4))
}

// sortedHead is lines with "cleanup" before "detach" among the first n, whose order is open.
func sortedHead(lines []string, n int) []string {
	if len(lines) >= n && strings.HasPrefix(lines[n-2], "detach") {
		lines[n-2], lines[n-1] = lines[n-1], lines[n-2]
	}
	return lines
}

func TestHostOfAListWithoutTasksCleansUpOnce(t *testing.T) {
	for name, leave := range map[string]func(*bgtasks.List){
		"Start": func(l *bgtasks.List) { l.Start(sent) },
		"Await, and Start where it is asked for": func(l *bgtasks.List) {
			if l.Await(sent) {
				l.Start(sent)
			}
		},
		"both": func(l *bgtasks.List) { l.Await(sent); l.Start(sent) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run, h := newRunner(bgtasks.Config{}), &host{}
				h.end = func() error { h.note("end"); return nil }
				_, list := hosted(run, h)
				leave(list)
				synctest.Wait()
				lines := h.all()
				assert.Equal(t, "end", lines[len(lines)-1])
				assert.Equal(t, 1, strings.Count(strings.Join(lines, "\n"), "cleanup"))
				assert.Equal(t, 1, strings.Count(strings.Join(lines, "\n"), "end"))
			})
		})
	}
}

func TestHostCleanUpComesAfterTheLastTaskAndBeforeWaitReturns(t *testing.T) {
	for name, fn := range map[string]bgtasks.Func{"success": nothing, "panic": panics, "Goexit": exiting} {
		t.Run(name, func(t *testing.T) {
			run, h := newRunner(bgtasks.Config{}), &host{}
			h.end = func() error { h.note("end"); return nil }
			ctx, list := hosted(run, h)
			add(t, ctx, "task", h.noting("task", fn))
			list.Start(sent)
			drain(t, run)
			lines := h.all()
			assert.Equal(t, []string{"task", "end"}, lines[len(lines)-2:])
		})
	}
}

func TestHostCleanUpThatFailsIsLogged(t *testing.T) {
	for name, end := range map[string]func() error{
		"error":  func() error { return errBroken },
		"panic":  func() error { panic("broken") },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		for _, tasks := range []int{0, 1} {
			t.Run(name, func(t *testing.T) {
				book, logger := newLogBook()
				run := newRunner(bgtasks.Config{Logger: logger, MaxRunning: 1})
				h := &host{end: end}
				ctx, list := hosted(run, h)
				for range tasks {
					add(t, ctx, "task", nothing)
				}
				done := make(chan struct{})
				go func() { // as runtime.Goexit may end it
					defer close(done)
					list.Start(sent)
				}()
				await(t, done, "Start")
				drain(t, run)
				if name != "Goexit" {
					require.Eventually(t, func() bool { return strings.Contains(book.text(), "broken") },
						patience, time.Millisecond)
				}
				ctx, list = open(run) // the place is free again
				add(t, ctx, "next", nothing)
				list.Start(sent)
				drain(t, run)
			})
		}
	}
}

func TestHostCaptureDecidesWhatATaskSees(t *testing.T) {
	run, h := newRunner(bgtasks.Config{}), &host{}
	h.capture = func(ctx context.Context) context.Context {
		assert.Equal(t, "ann", ctx.Value(userKey{}), "the context given to Add")
		return context.WithValue(ctx, userKey{}, "captured")
	}
	ctx, list := hosted(run, h)
	see := func(ctx context.Context) error { h.note(ctx.Value(userKey{}).(string)); return nil }
	add(t, context.WithValue(ctx, userKey{}, "ann"), "task", func(ctx context.Context) error {
		require.NoError(t, see(ctx))
		return bgtasks.Add(ctx, "nested", see) // sees the same, and is not captured again
	})
	list.Start(sent)
	drain(t, run)
	text := strings.Join(h.all(), ",")
	assert.True(t, strings.HasSuffix(text, "captured,captured"), text)
	assert.Equal(t, 1, strings.Count(text, "capture,"))
}

func TestHostSaysWhatARequestIsAboutAsLateAsPossible(t *testing.T) {
	run, h := newRunner(bgtasks.Config{}), &host{}
	ctx, list := hosted(run, h)
	var info bgtasks.Info
	add(t, ctx, "task", func(ctx context.Context) error { info, _ = bgtasks.InfoFrom(ctx); return nil })
	h.route.Store("/known/later") // as a route is once its router has returned
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, "/known/later", info.Route)
	assert.Equal(t, "POST", info.Method)
	assert.Equal(t, "req-1", info.RequestID)
	assert.Equal(t, "task", info.Name)
}

func TestHostIsToldTheContextThatItHasCaptured(t *testing.T) {
	run, h := newRunner(bgtasks.Config{}), &host{}
	events := observe(run)
	h.capture = func(ctx context.Context) context.Context {
		return context.WithValue(ctx, userKey{}, "captured")
	}
	ctx, list := hosted(run, h)
	add(t, ctx, "task", nothing)
	list.Start(sent)
	drain(t, run)
	require.NotEmpty(t, events.all())
	h.mu.Lock()
	defer h.mu.Unlock()
	require.NotEmpty(t, h.given)
	for _, v := range h.given {
		assert.Equal(t, "captured", v)
	}
}

func TestReportIsLoggedOncePerTask(t *testing.T) {
	book, logger := newLogBook()
	run := newRunner(bgtasks.Config{Logger: logger})
	ctx, list := open(run)
	misuse := func(context.Context) error {
		list.Report(bgtasks.ErrResponseSent)
		list.Report(bgtasks.ErrResponseSent)
		return nil
	}
	add(t, ctx, "a", misuse)
	add(t, ctx, "b", misuse)
	add(t, ctx, "c", nothing)
	list.Start(sent)
	drain(t, run)
	assert.Len(t, book.about(t, "a"), 1)
	assert.Len(t, book.about(t, "b"), 1)
	assert.Empty(t, book.about(t, "c"))
	assert.Contains(t, book.about(t, "a")[0]["error"], bgtasks.ErrResponseSent.Error())
}

func TestHostIsAskedOnceHoweverOftenStartIsCalled(t *testing.T) {
	for range 200 {
		run, h := newRunner(bgtasks.Config{}), &host{}
		h.end = func() error { h.note("end"); return nil }
		ctx, list := hosted(run, h)
		add(t, ctx, "task", nothing)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { list.Start(sent) })
		}
		wg.Wait()
		drain(t, run)
		list.Start(sent)
		drain(t, run)
		require.ElementsMatch(t, []string{"capture", "cleanup", "detach, returned: true", "end"}, h.all())
	}
}
