package bgriver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// usedUp logs units whose attempts are used up. River's ErrorHandler hears of every attempt
// that fails, whatever the reason.
type usedUp struct {
	runner *bgtasks.Runner
	next   river.ErrorHandler // Config.River's
}

func (h *usedUp) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	h.log(ctx, job, err)
	if h.next == nil {
		return nil
	}
	return h.next.HandleError(ctx, job, err)
}

func (h *usedUp) HandlePanic(ctx context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	h.log(ctx, job, fmt.Errorf("panic: %v", value))
	if h.next == nil {
		return nil
	}
	return h.next.HandlePanic(ctx, job, value, trace)
}

func (h *usedUp) log(ctx context.Context, job *rivertype.JobRow, err error) {
	if job.Kind != kind || job.Attempt < job.MaxAttempts {
		return
	}
	var u unit
	_ = json.Unmarshal(job.EncodedArgs, &u) // its names are for the reader; the job is logged in any case
	m, _ := metadataOf(job)
	h.runner.Logger().LogAttrs(ctx, slog.LevelError,
		"bgriver: unit given up, its attempts are used up: it is kept as discarded and can be retried by hand",
		slog.String("unit", u.String()), slog.Int64("job_id", job.ID), slog.Int("attempt", job.Attempt),
		slog.String("route", m.Unit.Route), slog.String("request_id", m.Unit.RequestID), slog.Any("error", err))
}
