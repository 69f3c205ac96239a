package bgtest

import (
	"context"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A fault says what happens in the place of the task's call of that number, counted from
// 1. nil: the task runs.
type fault struct {
	at    func(call int) func(context.Context) error
	hangs bool // it may have no end
}

// Fail has tasks of that name fail, in their first attempt with the first error, and so on;
// the last goes for all that follow. For a nil error the task itself runs:
//
//	k.Fail("send mail", errDown)               // whenever it is tried
//	k.Fail("send mail", errDown, errDown, nil) // twice; the third attempt is the task's
//	k.Fail("send mail", nil)                   // no more
//
// It stands in the place of the innermost function: middleware of the runner and of the task
// is around it, so are Retry, Timeout and whatever else Add was given. It is for tasks that
// start from now on, and takes the place of an earlier fault of that name.
func (k *Kit) Fail(name string, err error, more ...error) {
	errs := append([]error{err}, more...)
	k.inject(name, fault{at: func(call int) func(context.Context) error {
		err := errs[min(call, len(errs))-1]
		if err == nil {
			return nil
		}
		return func(context.Context) error { return err }
	}})
}

// Panic has tasks of that name panic with value: they fail with a *bgtasks.PanicError, as
// they would in production. It is like Fail in all else.
func (k *Kit) Panic(name string, value any) {
	k.inject(name, fault{at: func(int) func(context.Context) error {
		return func(context.Context) error { panic(value) }
	}})
}

// Hang has tasks of that name do nothing until their context ends, and return its error:
// after their timeout, if they have one, or at a shutdown's deadline. Do waits for them, so
// for a task without a timeout it fails the test. It is like Fail in all else.
func (k *Kit) Hang(name string) {
	k.inject(name, fault{hangs: true, at: func(int) func(context.Context) error {
		return func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
	}})
}

func (k *Kit) inject(name string, f fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults[name] = f
}

// withFault returns what is to run in the place of task.
func (k *Kit) withFault(info bgtasks.Info, task func(context.Context) error) func(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, ok := k.faults[info.Name]
	if !ok {
		return task
	}
	calls := 0
	return func(ctx context.Context) error {
		k.mu.Lock()
		calls++
		strike := f.at(calls)
		k.mu.Unlock()
		k.struck(info, strike != nil, f.hangs)
		if strike == nil {
			return task(ctx)
		}
		defer k.away(info)
		return strike(ctx)
	}
}

// struck notes what runs in the place of the task now.
func (k *Kit) struck(info bgtasks.Info, fault, hangs bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.record.byKey[keyOf(info)].fault = fault
	if l := k.lists[info.ID]; l != nil {
		l.hangs = fault && hangs
	}
	k.signal()
}

// away notes that the fault is over.
func (k *Kit) away(info bgtasks.Info) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.lists[info.ID]; l != nil {
		l.hangs = false
	}
	k.signal()
}
