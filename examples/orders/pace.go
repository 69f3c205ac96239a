package main

import (
	"context"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// pace has each attempt of each task wait a little before it does its work, so that a person
// can watch.
func pace(d time.Duration) bgtasks.Middleware {
	return func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			select {
			case <-time.After(d):
				return next(ctx)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}
