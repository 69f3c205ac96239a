package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is a server where a row has started one: see launch.
func TestMain(m *testing.M) {
	if kind := os.Getenv(serverEnv); kind != "" {
		must(serve(kind))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // ants has begun with a pool of its own
}
