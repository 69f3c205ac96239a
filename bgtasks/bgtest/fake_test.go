package bgtest_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// fakeT stands in for the *testing.T of a test that is expected to fail.
type fakeT struct {
	mu       sync.Mutex
	errors   []string
	logs     []string
	stopped  bool // by FailNow
	over     bool // its cleanups have run
	cleanups []func()
	goexit   func()
}

func (t *fakeT) Helper()          {}
func (t *fakeT) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *fakeT) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		panic("Log after the test has completed") // as package testing does
	}
	t.logs = append(t.logs, fmt.Sprintf(format, args...))
}

func (t *fakeT) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

func (t *fakeT) FailNow() {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.goexit()
}

func (t *fakeT) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopped || len(t.errors) > 0
}

// text is what the test has failed with.
func (t *fakeT) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.errors, "\n")
}

func (t *fakeT) logged() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.logs, "\n")
}

// finish runs the cleanups, as at the end of a test.
func (t *fakeT) finish() {
	for _, cleanup := range slices.Backward(t.cleanups) {
		cleanup()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}
