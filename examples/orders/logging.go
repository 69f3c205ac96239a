package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/mattn/go-isatty"
)

// newLogger writes text for people and JSON for programs.
func newLogger(out io.Writer, format string) *slog.Logger {
	if format == "auto" {
		format = "json"
		if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
			format = "text"
		}
	}
	if format == "text" {
		return slog.New(withRequestID{slog.NewTextHandler(out, nil)})
	}
	return slog.New(withRequestID{slog.NewJSONHandler(out, nil)})
}

// withRequestID adds the request's ID to each line whose context has one: a handler's, and
// that of a task.
type withRequestID struct{ slog.Handler }

const requestIDKey = "request_id"

func (h withRequestID) Handle(ctx context.Context, rec slog.Record) error {
	if id := middleware.GetReqID(ctx); id != "" && !has(rec, requestIDKey) {
		rec.AddAttrs(slog.String(requestIDKey, id))
	}
	return h.Handler.Handle(ctx, rec)
}

func (h withRequestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withRequestID{h.Handler.WithAttrs(attrs)}
}

func (h withRequestID) WithGroup(name string) slog.Handler {
	return withRequestID{h.Handler.WithGroup(name)}
}

func has(rec slog.Record, key string) bool {
	found := false
	rec.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}
