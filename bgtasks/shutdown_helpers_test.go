package bgtasks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func shutdownWithin(run *bgtasks.Runner, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return run.Shutdown(ctx)
}

// unfinished returns the names in a ShutdownError, in its order.
func unfinished(t testing.TB, err error) []string {
	t.Helper()
	var e *bgtasks.ShutdownError
	require.True(t, errors.As(err, &e), "not a ShutdownError: %v", err)
	names := []string{}
	for _, info := range e.Unfinished {
		names = append(names, info.Name)
	}
	return names
}
