package bgtest

import (
	"bytes"
	"log/slog"
	"sync"
)

// testLog writes to the log of the test while that runs: later it would panic, in a
// goroutine that the test has left behind.
type testLog struct {
	mu sync.Mutex
	t  TestingT // nil when the test is over
}

func (l *testLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t != nil {
		l.t.Logf("%s", bytes.TrimSuffix(line, []byte("\n")))
	}
	return len(line), nil
}

func (l *testLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t = nil
}

func (l *testLog) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: forTests}))
}

// forTests leaves out the time, and stacks: thousands of characters in a line; where a panic
// was not expected, the failure of the test shows its stack as it should be read.
func forTests(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == "stack") {
		return slog.Attr{}
	}
	return a
}
