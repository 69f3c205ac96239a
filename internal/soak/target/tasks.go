package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
	"github.com/go-chi/chi/v5"
)

// An exchange is a request as its tasks see it.
type exchange struct {
	ledger *plan.Ledger
	plan.Request
	w    http.ResponseWriter
	r    *http.Request
	conn *watchedConn // nil over TLS, where the response is not ours to watch, and if it is not to be
	file *multipart.FileHeader
	sum  string

	first    sync.Once
	returned atomic.Bool // the handler has
}

var errAsked = errors.New("asked to fail")

// add adds a task for each letter, or none.
func (x *exchange) add() error {
	for _, letter := range x.Tasks {
		if err := bgtasks.Add(x.r.Context(), string(letter), x.recorded(x.task(letter)), options(letter)...); err != nil {
			for _, letter := range x.Tasks {
				bgtasks.Forget(x.r.Context(), string(letter))
			}
			return err
		}
	}
	return nil
}

func options(letter rune) []bgtasks.Option {
	switch letter {
	case plan.Timeout:
		return []bgtasks.Option{bgtasks.Timeout(100 * time.Millisecond)}
	case plan.Retry:
		return []bgtasks.Option{bgtasks.Retry(2, bgtasks.Backoff(time.Millisecond, time.Millisecond))}
	}
	return nil
}

// recorded writes the task's start and end into the ledger, however it ends.
func (x *exchange) recorded(fn bgtasks.Func) bgtasks.Func {
	return func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		x.ledger.Write(plan.Started, x.ID, info.Position, info.Attempt)
		defer func() { x.ledger.Write(plan.Returned, x.ID, info.Position, info.Attempt) }()
		x.first.Do(func() { x.checkSent(ctx) })
		x.checkIdentity(ctx, info)
		return fn(ctx)
	}
}

// checkSent is called when the first task starts: its response must have been sent.
func (x *exchange) checkSent(ctx context.Context) {
	o, _ := bgtasks.OutcomeFrom(ctx)
	switch {
	case o.Hijacked, o.Panicked, o.Aborted:
	case !o.Sent:
		x.ledger.Write(plan.Unsent, x.ID)
	case x.conn == nil:
	case x.conn.sent(x.ID):
		x.ledger.Write(plan.InTime, x.ID, x.r.Proto)
	default:
		x.ledger.Write(plan.Early, x.ID, x.r.Proto)
	}
}

// checkIdentity compares what the task sees of its request with what it was.
func (x *exchange) checkIdentity(ctx context.Context, info bgtasks.Info) {
	if chi.URLParam(x.r, "id") != x.ID || chi.URLParamFromCtx(ctx, "id") != x.ID || info.RequestID != x.ID {
		x.ledger.Write(plan.Wrong, x.ID, "parameters")
	}
}

func (x *exchange) task(letter rune) bgtasks.Func {
	switch letter {
	case plan.Fail:
		return func(context.Context) error { return errAsked }
	case plan.Panic:
		return func(context.Context) error { panic(errAsked) }
	case plan.Goexit:
		return func(context.Context) error { runtime.Goexit(); return nil }
	case plan.Timeout, plan.Hang:
		return func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	case plan.Retry:
		return func(ctx context.Context) error {
			if info, _ := bgtasks.InfoFrom(ctx); info.Attempt == 1 {
				return errAsked
			}
			return nil
		}
	case plan.Nest:
		return x.nest
	case plan.Write:
		return x.write
	case plan.Sleep:
		return func(context.Context) error { time.Sleep(20 * time.Millisecond); return nil } // is the work
	case plan.Upload:
		return x.readUpload
	}
	return func(context.Context) error { return nil }
}

func (x *exchange) nest(ctx context.Context) error {
	err := bgtasks.Add(ctx, "nested", x.recorded(x.task(plan.OK)))
	if err != nil {
		info, _ := bgtasks.InfoFrom(ctx)
		x.ledger.Write(plan.NotNested, x.ID, info.Position)
	}
	return err
}

// write writes to the response, which is to be refused: because it is sealed, or because the task was
// started by SendTimeout beside its handler, which is stuck in a write (its client does not read).
func (x *exchange) write(context.Context) error {
	if !x.returned.Load() {
		x.ledger.Write(plan.Beside, x.ID)
	}
	x.w.Header().Set("X-Foreign", x.ID)                                                                                                              //bgvet:ignore it is to have no effect
	if _, err := io.WriteString(x.w, "foreign bytes of "+x.ID+"\n"); !errors.Is(err, bgtasks.ErrResponseSent) && !errors.Is(err, http.ErrHijacked) { //bgvet:ignore it is to be refused
		x.ledger.Write(plan.Wrong, x.ID, "write")
	}
	return nil
}

func (x *exchange) readUpload(context.Context) error {
	f, err := x.file.Open()
	if err != nil {
		x.ledger.Write(plan.Wrong, x.ID, "upload")
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil || hex.EncodeToString(sum.Sum(nil)) != x.sum {
		x.ledger.Write(plan.Wrong, x.ID, "upload")
	}
	return err
}
