package bgtasks

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Names of the attributes in log lines, beside "error", "duration" and "stack".
//
// "error" is what SetError of httplog v3 calls it, and the one name that its
// Schema.ReplaceAttr translates (to error.message for ECS and OTEL). What else its schemas
// name is fixed for one of them (http.request.method, httpRequest:requestMethod) and about a
// request under way: short names that a ReplaceAttr of the program's own can translate are
// the better base. request_id is in none of them; it is what middleware.RequestID is
// commonly logged as.
const (
	keyTask      = "task"
	keyList      = "list"
	keyRoute     = "route"
	keyMethod    = "method"
	keyRequestID = "request_id"
	keyPosition  = "position"
	keyAttempt   = "attempt"
)

// Logger returns Config.Logger, or slog.Default().
func (r *Runner) Logger() *slog.Logger {
	if r.cfg.Logger != nil {
		return r.cfg.Logger
	}
	return slog.Default()
}

// logEnd writes the line for a task that has ended: at Error if it failed, at Warn or
// Debug if it was skipped because another failed or because of When, at Debug if all is
// well.
func (r *Runner) logEnd(a *attempt, kind Kind, err error, elapsed time.Duration) {
	switch {
	case kind == Unfinished:
		if a.begun {
			r.logTask(a, slog.LevelWarn, "bgtasks: task returned after the shutdown had given it up", err, elapsed)
		}
	case err == nil:
		r.logTask(a, slog.LevelDebug, "bgtasks: task succeeded", nil, elapsed)
	case err == errWhen:
		r.logTask(a, slog.LevelDebug, "bgtasks: task skipped", err, 0)
	case kind == Skipped:
		r.logTask(a, slog.LevelWarn, "bgtasks: task skipped", err, 0)
	case a.panicked != nil:
		r.logTask(a, slog.LevelError, "bgtasks: task panicked", err, elapsed)
	default:
		r.logTask(a, slog.LevelError, "bgtasks: task failed", err, elapsed)
	}
}

// logTask writes a line about a task, with the context that the task was given for the
// handler's use.
func (r *Runner) logTask(a *attempt, level slog.Level, msg string, err error, elapsed time.Duration, more ...slog.Attr) {
	ctx := a.logContext()
	if !r.logs(ctx, level) {
		return
	}
	defer ignorePanic()
	if err != nil {
		more = append(more, errAttr(err))
	}
	if a.begun {
		more = append(more, slog.Duration("duration", elapsed))
	}
	if a.panicked != nil {
		more = append(more, slog.String("stack", string(a.panicked.Stack)))
	}
	r.log(ctx, level, msg, a.info(), more...)
}

// logs reports whether the logger wants lines of that level.
func (r *Runner) logs(ctx context.Context, level slog.Level) (yes bool) {
	defer ignorePanic()
	return r.Logger().Enabled(ctx, level)
}

func (r *Runner) log(ctx context.Context, level slog.Level, msg string, about Info, more ...slog.Attr) {
	defer ignorePanic()
	attrs := make([]slog.Attr, 0, 8+len(more))
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, brief(value)))
		}
	}
	add(keyTask, about.Name)
	add(keyRoute, about.Route)
	add(keyMethod, about.Method)
	add(keyRequestID, about.RequestID)
	if about.ID != 0 {
		attrs = append(attrs, slog.Uint64(keyList, about.ID))
	}
	if about.Position != 0 {
		attrs = append(attrs, slog.Int(keyPosition, about.Position))
	}
	if about.Attempt != 0 {
		attrs = append(attrs, slog.Int(keyAttempt, about.Attempt))
	}
	attrs = append(attrs, more...)
	r.Logger().LogAttrs(ctx, level, msg, attrs...)
}

// ignorePanic keeps a log handler that panics from ending the list.
func ignorePanic() { _ = recover() }

func errAttr(err error) slog.Attr { return slog.Any("error", err) }

// guard calls code of the program that is no task, and logs it if it panics.
func (r *Runner) guard(what string, fn func()) {
	defer func() {
		if v := recover(); v != nil {
			r.log(context.Background(), slog.LevelError, "bgtasks: "+what+" panicked", Info{},
				slog.String("error", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
		}
	}()
	fn()
}
