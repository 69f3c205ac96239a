package bgtasks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// Whatever a client has put into a name, a path, a method, a request ID or an error, a record
// is one line that begins as lines do.
func TestLogLinesCannotBeForged(t *testing.T) {
	for _, evil := range []string{
		"\nlevel=ERROR msg=forged", "\r\n{\"level\":\"ERROR\"}", "\x1b[2J\u2028\u0085", "\xff\xfe", "\" task=\"other", strings.Repeat("\n", 1<<16),
	} {
		checkLogLines(t, evil, evil, evil, evil, evil)
	}
}

func FuzzLogLinesCannotBeForged(f *testing.F) {
	f.Add("task\n", "/orders/{id}\r\n", "GET\x00", "id\"", "broken\n")
	f.Fuzz(func(t *testing.T, name, route, method, id, text string) {
		checkLogLines(t, name, route, method, id, text)
	})
}

// A twoLogs writes each record in both of slog's formats, and counts them.
type twoLogs struct {
	mu         sync.Mutex
	records    int
	text, json bytes.Buffer
	handlers   []slog.Handler
}

func newTwoLogs() *twoLogs {
	l := &twoLogs{}
	all := &slog.HandlerOptions{Level: slog.LevelDebug}
	l.handlers = []slog.Handler{slog.NewTextHandler(&l.text, all), slog.NewJSONHandler(&l.json, all)}
	return l
}

func (l *twoLogs) Enabled(context.Context, slog.Level) bool { return true }
func (l *twoLogs) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *twoLogs) WithGroup(string) slog.Handler            { return l }
func (l *twoLogs) Handle(ctx context.Context, r slog.Record) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records++
	for _, h := range l.handlers {
		err = errors.Join(err, h.Handle(ctx, r))
	}
	return err
}

// checkLogLines has everything logged that names a task or a request.
func checkLogLines(t *testing.T, name, route, method, id, text string) {
	log := newTwoLogs()
	run := bgtasks.New(bgtasks.Config{MaxPending: 4, Logger: slog.New(log)})
	ctx, list := run.Open(t.Context(), bgtasks.Info{Route: route, Method: method, RequestID: id})
	var refusals []error
	add := func(fn bgtasks.Func, opts ...bgtasks.Option) {
		refusals = append(refusals, bgtasks.Add(ctx, name, fn, opts...))
	}
	begun, hold := make(chan struct{}), make(chan struct{})
	add(func(context.Context) error { return errors.New(text) }, bgtasks.Retry(2, every(0)))
	add(func(context.Context) error { panic(text) })
	add(nothing, bgtasks.Needs(name+"?"))
	add(func(context.Context) error { close(begun); <-hold; return nil })
	add(nothing) // one too many, unless the others have no name
	list.Report(errors.New(text))
	list.Start(sent)
	if name != "" {
		<-begun
	}
	down := shutdownWithin(run, 0)
	add(nothing)
	close(hold)
	drain(t, run)

	for _, err := range append(refusals, down) {
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 20_000)
		}
	}
	log.check(t, name)
}

func (l *twoLogs) check(t *testing.T, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")
	require.Len(t, lines, l.records)
	for _, line := range lines {
		require.True(t, strings.HasPrefix(line, "time="), "%q", line)
		require.Equal(t, -1, strings.IndexFunc(line, func(r rune) bool { return r < ' ' }), "%q", line)
	}
	entries := strings.Split(strings.TrimSuffix(l.json.String(), "\n"), "\n")
	require.Len(t, entries, l.records)
	for _, entry := range entries {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(entry), &fields))
		if task, _ := fields["task"].(string); len(name) <= 256 {
			require.Contains(t, []string{"", strings.ToValidUTF8(name, "\uFFFD"), jsonText(name)}, task)
		} else {
			require.LessOrEqual(t, len(task), 3*256+3)
		}
	}
}

// jsonText is what is left of s when it has been through JSON.
func jsonText(s string) (out string) {
	b, _ := json.Marshal(s)
	_ = json.Unmarshal(b, &out)
	return out
}
