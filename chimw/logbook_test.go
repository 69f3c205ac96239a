package chimw_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A logBook is a slog.Handler that keeps the lines of level Warn and above.
type logBook struct {
	mu     sync.Mutex
	lines  []string
	byTask map[string]int // lines with that value of the attribute "task"
}

func newLogBook() *logBook { return &logBook{byTask: map[string]int{}} }

func (b *logBook) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (b *logBook) WithAttrs([]slog.Attr) slog.Handler               { return b }
func (b *logBook) WithGroup(string) slog.Handler                    { return b }

func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := fmt.Sprintf("%s %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		if a.Key == "task" {
			b.byTask[a.Value.String()]++
		}
		return true
	})
	b.lines = append(b.lines, line)
	return nil
}

// tasks is how many lines there are about each task.
func (b *logBook) tasks() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.byTask)
}

// mentioning returns the lines that contain text.
func (b *logBook) mentioning(text string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.lines), func(line string) bool { return !strings.Contains(line, text) })
}

// assertOnceEach checks that there is one line for each of n tasks whose use can be noticed.
func (b *logBook) assertOnceEach(t *testing.T, uses []lateUse, n int) {
	t.Helper()
	wrong := map[string]int{}
	lines := b.tasks()
	for i := range n {
		use := useOf(uses, i)
		if name := fmt.Sprintf("%s %d", use.name, i); !use.mute && lines[name] != 1 {
			wrong[use.name]++
		}
	}
	assert.Empty(t, wrong, "tasks that have not got one line each")
}
