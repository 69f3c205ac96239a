package bgtest

import (
	"context"
	"errors"
	"slices"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// hold keeps tasks from starting.
type hold struct {
	on    bool
	queue []*heldTask // in the order in which they came
}

type heldTask struct {
	info bgtasks.Info
	gone chan struct{} // closed when it may start
}

// Hold keeps tasks from starting from now on: the first of each list, as those behind it
// wait anyway. A held task has not been reported as started, and its Timeout has not begun;
// it does hold its list's place among those that run (Config.MaxRunning). Those that run
// already run on.
//
// Do returns then right after the response. Next lets one task go, Release all. Those that
// are still held when the test ends, or at a Shutdown's deadline, never start.
func (k *Kit) Hold() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hold.on = true
}

// Next lets the task go that has been held for the longest time, waits until it has ended
// (and the next of its list, if any, is held), and returns its name: Task tells more. It
// fails the test, and ends it, if no task is held.
func (k *Kit) Next() string {
	k.t.Helper()
	k.Wait()
	k.mu.Lock()
	if len(k.hold.queue) == 0 {
		k.mu.Unlock()
		k.must(errors.New("bgtest: Next: no task is held"))
		return "" // for a TestingT whose FailNow returns
	}
	next := k.hold.queue[0]
	k.letGo(next)
	k.mu.Unlock()
	k.Wait()
	return next.info.Name
}

// Release ends the hold, lets all tasks go, and waits until they have ended.
func (k *Kit) Release() {
	k.t.Helper()
	k.mu.Lock()
	k.hold.on = false
	for len(k.hold.queue) > 0 {
		k.letGo(k.hold.queue[0])
	}
	k.mu.Unlock()
	k.Wait()
}

// pass returns when the task may start, or never will.
func (k *Kit) pass(ctx context.Context, info bgtasks.Info) {
	k.mu.Lock()
	if !k.hold.on {
		k.mu.Unlock()
		return
	}
	h := &heldTask{info, make(chan struct{})}
	k.hold.queue = append(k.hold.queue, h)
	k.mark(info, true)
	k.mu.Unlock()
	select {
	case <-h.gone:
	case <-ctx.Done(): // given up by a shutdown
		k.mu.Lock()
		defer k.mu.Unlock()
		k.letGo(h)
	}
}

// letGo takes h out of the queue, if it is still in.
func (k *Kit) letGo(h *heldTask) {
	i := slices.Index(k.hold.queue, h)
	if i < 0 {
		return
	}
	k.hold.queue = slices.Delete(k.hold.queue, i, i+1)
	k.mark(h.info, false)
	close(h.gone)
}

// mark has await know whether the list waits for the test.
func (k *Kit) mark(info bgtasks.Info, held bool) {
	if l := k.lists[info.ID]; l != nil {
		l.held = held
	}
	k.signal()
}
