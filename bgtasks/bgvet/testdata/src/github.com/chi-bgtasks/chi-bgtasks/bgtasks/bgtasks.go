// Package bgtasks stands for the real one: the same names and types, and no code.
package bgtasks

import (
	"context"
	"log/slog"
	"time"
)

type (
	Func       func(ctx context.Context) error
	Middleware func(next Func) Func
	Option     interface{ apply() }
	Config     struct {
		Logger                   *slog.Logger
		MaxRunning, MaxPending   int
		TaskTimeout, SendTimeout time.Duration
		StopOnError              bool
	}
	Runner  struct{ _ int }
	Event   struct{ Err error }
	Outcome struct {
		Status int
		Bytes  int64
		Sent   bool
	}
	Info struct {
		Name, Route, Method, RequestID string
		Attempt                        int
	}
	option struct{}
)

func (option) apply()     {}
func (Middleware) apply() {}

var ErrShutdown, ErrTimeout, ErrFull error

func Add(ctx context.Context, name string, fn Func, opts ...Option) error      { return nil }
func Bind[A any](fn func(context.Context, A) error, arg A) Func                { return nil }
func Forget(ctx context.Context, name string) int                              { return 0 }
func Timeout(d time.Duration) Option                                           { return option{} }
func Retry(attempts int, wait func(int, error) (time.Duration, bool)) Option   { return option{} }
func Backoff(first, most time.Duration) func(int, error) (time.Duration, bool) { return nil }
func When(cond func(Outcome) bool) Option                                      { return option{} }
func Needs(names ...string) Option                                             { return option{} }
func OutcomeFrom(ctx context.Context) (Outcome, bool)                          { return Outcome{}, false }
func InfoFrom(ctx context.Context) (Info, bool)                                { return Info{}, false }
func New(cfg Config) *Runner                                                   { return nil }
func (o Outcome) OK() bool                                                     { return true }
func (o Outcome) Failed() bool                                                 { return false }
func (r *Runner) Use(mws ...Middleware)                                        {}
func (r *Runner) Observe(fn func(Event))                                       {}
func (r *Runner) Shutdown(ctx context.Context) error                           { return nil }
func (r *Runner) Wait(ctx context.Context) error                               { return nil }
