package bgtasks_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// forged is what a user would have to get into a log to make it say what is not so: a line
// of its own, attributes, a terminal's control sequences.
const forged = "mail\" level=INFO\r\ntime=2026-01-01T00:00:00Z level=ERROR msg=\"FORGED\" task=\"x\x1b[2J\x1b]0;FORGED\x07\u2028\x00\xff\t{\"msg\":\"FORGED\"}\n"

type forgedError struct{}

func (forgedError) Error() string { return forged }

// misfortunes has a runner log all that it can, with that text wherever a program can put one.
func misfortunes(t *testing.T, logger *slog.Logger) {
	run := bgtasks.New(bgtasks.Config{Logger: logger, MaxPending: 30, TaskTimeout: -1})
	run.Observe(func(e bgtasks.Event) {
		if e.Kind == bgtasks.Forgotten {
			panic(forged)
		}
	})
	about := bgtasks.Info{Route: "/" + forged, Method: "POST" + forged, RequestID: forged}
	ctx, list := run.Open(context.Background(), about)
	add(t, ctx, forged, nothing)
	add(t, ctx, forged, func(context.Context) error { return forgedError{} })
	add(t, ctx, forged, func(context.Context) error { panic(forged) })
	add(t, ctx, forged, func(context.Context) error { panic(forgedError{}) })
	add(t, ctx, forged, exiting)
	add(t, ctx, forged, nothing, bgtasks.Needs("other "+forged))
	add(t, ctx, forged, nothing, bgtasks.When(bgtasks.Outcome.Failed))
	add(t, ctx, forged, failing, bgtasks.Retry(2, func(int, error) (time.Duration, bool) { return 0, true }))
	add(t, ctx, forged, obedient(time.Hour), bgtasks.Timeout(time.Nanosecond))
	add(t, ctx, "gone "+forged, nothing)
	bgtasks.Forget(ctx, "gone "+forged)
	require.Error(t, bgtasks.Add(ctx, forged, nil))
	list.Report(errors.New(forged))
	list.Start(sent)
	drain(t, run)
	require.Error(t, bgtasks.Add(ctx, forged, nothing))
	if err := shutdownWithin(run, patience); assert.NoError(t, err) {
		ctx, _ = run.Open(context.Background(), about)
		require.Error(t, bgtasks.Add(ctx, forged, nothing))
	}
}

// A syncBuffer is written to by tasks and read by the test.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestNamesAndErrorsCannotForgeLogLines(t *testing.T) {
	everything := &slog.HandlerOptions{Level: slog.LevelDebug}
	for name, c := range map[string]struct {
		handler func(*syncBuffer) slog.Handler
		line    string // what each line looks like
	}{
		"text": {func(b *syncBuffer) slog.Handler { return slog.NewTextHandler(b, everything) }, `^time=\S+ level=[A-Z]+ msg="bgtasks: [a-zA-Z, ]+"( [a-z_]+=([^\s"]+|"([^"\\]|\\.)*"))*$`},
		"json": {func(b *syncBuffer) slog.Handler { return slog.NewJSONHandler(b, everything) }, `^\{"time":"[^"]+","level":"[A-Z]+","msg":"bgtasks: [a-zA-Z, ]+"(,"[a-z_]+":([0-9]+|"([^"\\]|\\.)*"))*\}$`},
	} {
		t.Run(name, func(t *testing.T) {
			out := &syncBuffer{}
			misfortunes(t, slog.New(c.handler(out)))
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			assert.Len(t, lines, 15, "one for each misfortune, and one for the success")
			for _, line := range lines {
				assert.Regexp(t, c.line, line)
				assert.NotRegexp(t, "[\x00-\x1f\u2028]", line)
			}
		})
	}
}

// A handler for people may print the message as it is.
func TestMessagesAreConstant(t *testing.T) {
	var raw rawHandler
	misfortunes(t, slog.New(&raw))
	assert.NotEmpty(t, raw.messages)
	for _, msg := range raw.messages {
		assert.Regexp(t, `^bgtasks: [a-zA-Z, ]+$`, msg)
	}
	for _, key := range raw.keys {
		assert.Contains(t, []string{
			"task", "route", "method", "request_id", "list", "position", "attempt",
			"error", "duration", "stack", "pause", "more_refused",
		}, key)
	}
}

type rawHandler struct {
	mu       sync.Mutex
	messages []string
	keys     []string
}

func (h *rawHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *rawHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *rawHandler) WithGroup(string) slog.Handler            { return h }

func (h *rawHandler) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		h.keys = append(h.keys, a.Key)
		return true
	})
	return nil
}

// SetError of httplog v3 does the same, and its Schema.ReplaceAttr gives that name, and no
// other, the one that the schema has for it.
func TestErrorIsLoggedAsHttplogDoes(t *testing.T) {
	var got slog.Value
	handler := slog.NewJSONHandler(&syncBuffer{}, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "error" {
			got = a.Value
		}
		return a
	}})
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(handler)})
	ctx, list := open(run)
	add(t, ctx, "mail", failing)
	list.Start(sent)
	drain(t, run)
	assert.Equal(t, slog.AnyValue(errBroken), got)
}
