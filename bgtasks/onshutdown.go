package bgtasks

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"
)

// OnShutdown has fn called when a shutdown of r begins, in a goroutine of its own, while the
// tasks run on. Shutdown waits for it as it does for tasks, and adds its error to its own (a
// *PanicError, if it panics). It is for integrations that run something beside r which has to
// stop with it, within the same time. fn is called once. Its context is that of the first Shutdown; it must return within a
// second when that ends, and should by then have ended what it has given to Run.
//
// It panics for a nil fn, and once a shutdown has begun.
func (r *Runner) OnShutdown(fn func(ctx context.Context) error) {
	if fn == nil {
		panic("bgtasks: OnShutdown needs a function")
	}
	if !r.down.hooks.add(fn) {
		panic("bgtasks: OnShutdown must be called before the shutdown")
	}
}

// hooks are what OnShutdown was given.
type hooks struct {
	mu   sync.Mutex
	fns  []func(context.Context) error
	errs []error
	done chan struct{} // closed when all have returned; nil before they are called
}

func (h *hooks) add(fn func(context.Context) error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done != nil {
		return false
	}
	h.fns = append(h.fns, fn)
	return true
}

// begin calls them, the first time.
func (h *hooks) begin(ctx context.Context, r *Runner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done != nil {
		return
	}
	h.done = make(chan struct{})
	var running sync.WaitGroup
	for _, fn := range h.fns {
		running.Go(func() {
			r.guard("function given to OnShutdown", func() {
				err := error(ErrGoexit)
				defer func() {
					if v := recover(); v != nil {
						h.returned(&PanicError{Value: v, Stack: debug.Stack()})
						panic(v)
					}
					h.returned(err)
				}()
				err = fn(ctx)
			})
		})
	}
	if len(h.fns) == 0 {
		close(h.done)
		return
	}
	go func() {
		running.Wait()
		close(h.done)
	}()
}

func (h *hooks) returned(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs = append(h.errs, err)
}

var errHooks = errors.New("bgtasks: shutdown: a function given to OnShutdown has not returned")

// wait waits until they have returned, or ctx has ended.
func (h *hooks) wait(ctx context.Context) error {
	select {
	case <-h.done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-h.done:
		return nil
	default:
		return ctx.Err()
	}
}

// result joins their errors. They get a moment to return in, as ctx may have just ended.
func (h *hooks) result() error {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	var late error
	select {
	case <-h.done:
	case <-timer.C:
		late = errHooks
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(append(h.errs[:len(h.errs):len(h.errs)], late)...)
}
