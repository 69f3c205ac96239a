package bgtasks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A mishap is one way in which a task can come to grief.
type mishap struct {
	fn    bgtasks.Func
	opts  []bgtasks.Option
	panic bool // ends with a *PanicError
	goes  bool // ends by runtime.Goexit
}

func mishaps() map[string]mishap {
	exit := func() { runtime.Goexit() }
	boom := func() { panic("kaboom") }
	when := func(what func()) bgtasks.Option {
		return bgtasks.When(func(bgtasks.Outcome) bool { what(); return true })
	}
	waiting := func(what func()) bgtasks.Option {
		return bgtasks.Retry(3, func(int, error) (time.Duration, bool) { what(); return 0, true })
	}
	wrapping := func(what func()) bgtasks.Option {
		return bgtasks.Middleware(func(bgtasks.Func) bgtasks.Func { what(); return nothing })
	}
	around := func(what func()) bgtasks.Option {
		return bgtasks.Middleware(func(bgtasks.Func) bgtasks.Func {
			return func(context.Context) error { what(); return nil }
		})
	}
	one := func(o bgtasks.Option) []bgtasks.Option { return []bgtasks.Option{o} }
	return map[string]mishap{
		"error":                     {fn: failing},
		"panic":                     {fn: panics, panic: true},
		"panic(nil)":                {fn: func(context.Context) error { panic(nil) }, panic: true},
		"panic with an error":       {fn: func(context.Context) error { panic(errBroken) }, panic: true},
		"runtime error":             {fn: indexOutOfRange, panic: true},
		"Goexit":                    {fn: exiting, goes: true},
		"Goexit in a deferred call": {fn: func(context.Context) error { defer exit(); return nil }, goes: true},
		"Goexit over a panic":       {fn: func(context.Context) error { defer exit(); panic("x") }, goes: true},
		"panic in When":             {fn: nothing, opts: one(when(boom)), panic: true},
		"Goexit in When":            {fn: nothing, opts: one(when(exit)), goes: true},
		"panic in wait":             {fn: failing, opts: one(waiting(boom)), panic: true},
		"Goexit in wait":            {fn: failing, opts: one(waiting(exit)), goes: true},
		"panic in middleware":       {fn: nothing, opts: one(around(boom)), panic: true},
		"Goexit in middleware":      {fn: nothing, opts: one(around(exit)), goes: true},
		"panic while wrapping":      {fn: nothing, opts: one(wrapping(boom)), panic: true},
		"Goexit while wrapping":     {fn: nothing, opts: one(wrapping(exit)), goes: true},
	}
}

func indexOutOfRange(context.Context) error {
	lines := strings.Split("only one", "\n")
	return errors.New(lines[1])
}

func TestMishapEndsItsTaskAndNoOther(t *testing.T) {
	for name, m := range mishaps() {
		t.Run(name, func(t *testing.T) {
			book, logger := newLogBook()
			run, j := newRunner(bgtasks.Config{Logger: logger}), &journal{}
			events := observe(run)
			ctx, list := open(run)
			add(t, ctx, "before", j.noting("before", nothing))
			add(t, ctx, "bad", m.fn, m.opts...)
			add(t, ctx, "after", j.noting("after", nothing))
			list.Start(sent)
			drain(t, run)

			assert.Equal(t, []string{"before", "after"}, j.all())
			assert.Len(t, book.lines(t, slog.LevelInfo), 1)
			assert.Len(t, book.about(t, "bad"), 1)
			checkMishap(t, m, events.ending(t, "bad"), run.Stats())
		})
	}
}

func checkMishap(t *testing.T, m mishap, end bgtasks.Event, stats bgtasks.Stats) {
	t.Helper()
	assert.Equal(t, bgtasks.Finished, end.Kind)
	require.Error(t, end.Err)
	var p *bgtasks.PanicError
	assert.Equal(t, m.panic, errors.As(end.Err, &p), "%v", end.Err)
	assert.Equal(t, m.goes, errors.Is(end.Err, bgtasks.ErrGoexit), "%v", end.Err)
	failed, panicked := int64(1), int64(0)
	if m.panic {
		failed, panicked = 0, 1
	}
	assert.Equal(t, failed, stats.Failed, "Failed")
	assert.Equal(t, panicked, stats.Panicked, "Panicked")
	assert.EqualValues(t, 2, stats.Succeeded)
}

// outcomeOf runs a single task and returns the error with which it ended.
func outcomeOf(t *testing.T, fn bgtasks.Func, opts ...bgtasks.Option) error {
	t.Helper()
	run := newRunner(bgtasks.Config{})
	events := observe(run)
	ctx, list := open(run)
	add(t, ctx, "task", fn, opts...)
	list.Start(sent)
	settle(t, run)
	return events.ending(t, "task").Err
}

func TestPanicErrorHasValueAndStack(t *testing.T) {
	var p *bgtasks.PanicError
	require.ErrorAs(t, outcomeOf(t, panics), &p)
	assert.Equal(t, "kaboom", p.Value)
	assert.Contains(t, string(p.Stack), "bgtasks_test.panics(", "the stack at the panic")
	assert.Contains(t, p.Error(), "kaboom")
	assert.NoError(t, p.Unwrap())
}

func TestPanicErrorUnwrapsToAnErrorValue(t *testing.T) {
	err := outcomeOf(t, func(context.Context) error { panic(fmt.Errorf("read: %w", io.ErrUnexpectedEOF)) })
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	var nilPanic *runtime.PanicNilError
	require.ErrorAs(t, outcomeOf(t, func(context.Context) error { panic(nil) }), &nilPanic)
}

func TestListGoesOnAfterManyMishapsInARow(t *testing.T) {
	run, j := newRunner(bgtasks.Config{}), &journal{}
	ctx, list := open(run)
	for range 50 {
		add(t, ctx, "exit", exiting)
		add(t, ctx, "panic", panics)
		add(t, ctx, "error", failing)
	}
	add(t, ctx, "last", j.noting("last", nothing))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"last"}, j.all())
	s := run.Stats()
	assert.Equal(t, []int64{100, 50, 1}, []int64{s.Failed, s.Panicked, s.Succeeded})
}

func TestGoexitOfTheOnlyTaskEndsTheList(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxRunning: 1})
	for range 3 {
		ctx, list := open(run)
		add(t, ctx, "exit", exiting)
		list.Start(sent)
	}
	drain(t, run) // each has given its place back
	assert.EqualValues(t, 3, run.Stats().Failed)
}

// trap is an error, and a value to panic with, that can't be asked what it is.
type trap struct{}

func (trap) Error() string  { panic("in Error") }
func (trap) Is(error) bool  { panic("in Is") }
func (trap) Unwrap() error  { panic("in Unwrap") }
func (trap) As(any) bool    { panic("in As") }
func (trap) String() string { panic("in String") }

// opError is an ordinary error type; a nil one, returned by mistake, can't be unwrapped.
type opError struct{ cause error }

func (e *opError) Error() string { return "op: " + e.cause.Error() }
func (e *opError) Unwrap() error { return e.cause }

func TestErrorWhoseMethodsPanicEndsItsTaskOnly(t *testing.T) {
	when := func(v error) []bgtasks.Option {
		return []bgtasks.Option{bgtasks.When(func(bgtasks.Outcome) bool { panic(v) })}
	}
	var typedNil *opError
	for name, m := range map[string]mishap{
		"typed nil":             {fn: func(context.Context) error { return typedNil }},
		"returned":              {fn: func(context.Context) error { return trap{} }},
		"panicked with":         {fn: func(context.Context) error { panic(trap{}) }},
		"When panics with":      {fn: nothing, opts: when(trap{})},
		"When panics typed nil": {fn: nothing, opts: when(typedNil)},
	} {
		t.Run(name, func(t *testing.T) {
			run, j := newRunner(bgtasks.Config{MaxRunning: 1}), &journal{}
			ctx, list := open(run)
			add(t, ctx, "bad", m.fn, append(m.opts, bgtasks.Retry(2, bgtasks.Backoff(0, 0)))...)
			add(t, ctx, "after", j.noting("after", nothing))
			list.Start(sent)
			drain(t, run)
			assert.Equal(t, []string{"after"}, j.all())
			s := run.Stats()
			assert.EqualValues(t, 1, s.Failed+s.Panicked)
		})
	}
}

// A brokenLog panics for every line.
type brokenLog struct{ slog.Handler }

func (brokenLog) Enabled(context.Context, slog.Level) bool  { return true }
func (brokenLog) Handle(context.Context, slog.Record) error { panic("the log is broken") }

func TestLoggerThatPanicsDoesNotStopTheTasks(t *testing.T) {
	run, j := newRunner(bgtasks.Config{Logger: slog.New(brokenLog{}), MaxRunning: 1}), &journal{}
	ctx, list := open(run)
	add(t, ctx, "bad", failing)
	require.Error(t, bgtasks.Add(ctx, "refused", nil))
	add(t, ctx, "misuse", func(context.Context) error {
		list.Report(bgtasks.ErrResponseSent)
		return nil
	})
	add(t, ctx, "after", j.noting("after", nothing))
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, []string{"after"}, j.all())
}
