package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// scratch is a folder for what all tests share: the program's binary.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "orders-test-"); err != nil {
		panic(err)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	code := m.Run()
	closeChromium()
	closePostgres()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, "the tests have left goroutines:", err)
		code = 1
	}
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// binary builds the program, once, and under the race detector if the tests are. The part of
// SQLite that is C translated to Go is left out of that: it is ten times as slow with it, and
// has nothing of ours in it.
var binary = sync.OnceValues(func() (string, error) {
	file := filepath.Join(scratch, "orders")
	args := []string{"build", "-o", file}
	if underRaceDetector() {
		args = append(args, "-race", "-gcflags=modernc.org/sqlite/lib=-race=false")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
})

func underRaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, setting := range info.Settings {
		if setting.Key == "-race" {
			return setting.Value == "true"
		}
	}
	return false
}

// hang is how long a test waits for what has to happen. It turns a hang into a failure.
const hang = time.Minute

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	over := time.After(hang)
	for !cond() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// receive waits for a value from c.
func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(hang):
		t.Fatalf("waited in vain: %s", what)
		panic("not reached")
	}
}
