package bgtasks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// patience turns a hang into a failure; nothing is expected to take that long.
const patience = 30 * time.Second

var (
	quiet     = slog.New(slog.DiscardHandler)
	sent      = bgtasks.Outcome{Status: 200, Sent: true}
	errBroken = errors.New("broken")
)

func newRunner(cfg bgtasks.Config) *bgtasks.Runner {
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	return bgtasks.New(cfg)
}

func open(run *bgtasks.Runner) (context.Context, *bgtasks.List) {
	return run.Open(context.Background(), bgtasks.Info{
		Route: "/orders/{id}", Method: "POST", RequestID: "req-1",
	})
}

func add(t testing.TB, ctx context.Context, name string, fn bgtasks.Func, opts ...bgtasks.Option) {
	t.Helper()
	require.NoError(t, bgtasks.Add(ctx, name, fn, opts...))
}

// drain waits for all tasks. In a bubble of fake time use settle.
func drain(t testing.TB, run *bgtasks.Runner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, run.Wait(ctx), "the tasks have not ended")
}

// settle is drain for a bubble, where a hang is noticed by synctest itself.
func settle(t testing.TB, run *bgtasks.Runner) {
	t.Helper()
	require.NoError(t, run.Wait(context.Background()))
}

func await[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "waited in vain for "+what)
		panic("unreachable")
	}
}

func nothing(context.Context) error { return nil }
func failing(context.Context) error { return errBroken }
func panics(context.Context) error  { panic("kaboom") }

func exiting(context.Context) error {
	runtime.Goexit()
	return nil
}

// stubborn takes its time whatever becomes of its context.
func stubborn(d time.Duration) bgtasks.Func {
	return func(context.Context) error {
		<-time.After(d)
		return nil
	}
}

// obedient takes its time unless its context ends before.
func obedient(d time.Duration) bgtasks.Func {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A journal is what tasks write down, in the order in which they do.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string{}, j.lines...)
}

// noting returns a task that writes down a line and then does what fn does.
func (j *journal) noting(line string, fn bgtasks.Func) bgtasks.Func {
	return func(ctx context.Context) error {
		j.note(line)
		return fn(ctx)
	}
}

// An eventBook keeps what a runner's observer is told.
type eventBook struct {
	mu     sync.Mutex
	events []bgtasks.Event
}

func observe(run *bgtasks.Runner) *eventBook {
	b := &eventBook{}
	run.Observe(func(e bgtasks.Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, e)
	})
	return b
}

func (b *eventBook) all() []bgtasks.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]bgtasks.Event{}, b.events...)
}

func (b *eventBook) of(kind bgtasks.Kind) []bgtasks.Event {
	var found []bgtasks.Event
	for _, e := range b.all() {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// told returns each event as "kind name".
func (b *eventBook) told() []string {
	var lines []string
	for _, e := range b.all() {
		lines = append(lines, e.Kind.String()+" "+e.Info.Name)
	}
	return lines
}

// ending returns the event with which the task of that name, the only one, ended.
func (b *eventBook) ending(t testing.TB, name string) bgtasks.Event {
	t.Helper()
	var found []bgtasks.Event
	for _, e := range b.all() {
		if e.Info.Name == name && isEnding(e.Kind) {
			found = append(found, e)
		}
	}
	require.Len(t, found, 1, "endings of task %q", name)
	return found[0]
}

func isEnding(k bgtasks.Kind) bool {
	switch k {
	case bgtasks.Finished, bgtasks.Skipped, bgtasks.Forgotten, bgtasks.Unfinished:
		return true
	}
	return false
}

// A logBook keeps what is logged, at all levels.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func newLogBook() (*logBook, *slog.Logger) {
	b := &logBook{}
	return b, slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// lines returns the log's lines from that level on.
func (b *logBook) lines(t testing.TB, from slog.Level) []map[string]any {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []map[string]any{}
	for _, raw := range bytes.Split(bytes.TrimSpace(b.buf.Bytes()), []byte("\n")) {
		if len(raw) == 0 {
			continue
		}
		line := map[string]any{}
		require.NoError(t, json.Unmarshal(raw, &line))
		var level slog.Level
		require.NoError(t, level.UnmarshalText([]byte(line["level"].(string))))
		if level >= from {
			found = append(found, line)
		}
	}
	return found
}

// about returns the lines, from level Warn on, that name the task.
func (b *logBook) about(t testing.TB, task string) []map[string]any {
	t.Helper()
	found := []map[string]any{}
	for _, line := range b.lines(t, slog.LevelWarn) {
		if line["task"] == task {
			found = append(found, line)
		}
	}
	return found
}

// text is all that was logged.
func (b *logBook) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
