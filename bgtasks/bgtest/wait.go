package bgtest

import (
	"context"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A list is one request's tasks, from the first that is added until all have ended.
type list struct {
	since  uint64 // in the kit's time
	left   int
	placed bool // has one of the places of those that run (Config.MaxRunning)
	held   bool // its next task is
	hangs  bool // its task is in a fault that may have no end
}

// count keeps the lists.
func (k *Kit) count(e bgtasks.Event) {
	id := e.Info.ID
	switch e.Kind {
	case bgtasks.Accepted:
		if k.lists[id] == nil {
			k.lists[id] = &list{since: k.tick()}
		}
		k.lists[id].left++
	case bgtasks.Finished, bgtasks.Skipped, bgtasks.Forgotten, bgtasks.Unfinished:
		if k.lists[id].left--; k.lists[id].left == 0 {
			delete(k.lists, id)
		}
	}
}

func (k *Kit) tick() uint64 {
	k.clock++
	return k.clock
}

func (k *Kit) now() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.clock
}

// signal wakes those in await.
func (k *Kit) signal() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// await blocks until done is true, which is asked under the lock, or ctx has ended.
func (k *Kit) await(ctx context.Context, done func() bool) bool {
	for {
		k.mu.Lock()
		ok, changed := done(), k.changed
		k.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// handled reports that no request that came after since, and not after now, is still being
// handled: its client may have the whole response before the handler adds a task.
func (k *Kit) handled(since, now uint64) bool {
	for at := range k.handling {
		if since < at && at <= now {
			return false
		}
	}
	return true
}

// reaches notes that a task of the list is about to start.
func (k *Kit) reaches(info bgtasks.Info) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.lists[info.ID]; l != nil {
		l.placed = true
	}
}

// through reports that the lists up to now have ended or are waiting for the test to let
// them go on: some because others that do have all places. Those that came later are not waited
// for: there may be no end of them.
func (k *Kit) through(now uint64, waiting func(*list) bool) bool {
	taken := 0
	for _, l := range k.lists {
		if waiting(l) {
			taken++
		}
	}
	for _, l := range k.lists {
		if l.since <= now && !waiting(l) && (l.placed || taken < k.places) {
			return false
		}
	}
	return true
}

func isHeld(l *list) bool        { return l.held }
func isHeldOrHangs(l *list) bool { return l.held || l.hangs }

func (k *Kit) anyHeld() bool {
	for _, l := range k.lists {
		if l.held {
			return true
		}
	}
	return false
}

// settle waits for the requests that have come since then, and for the tasks of all.
func (k *Kit) settle(since uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), k.deadline())
	defer cancel()
	now := k.now()
	if !k.await(ctx, func() bool { return k.handled(since, now) }) {
		return k.tooLate()
	}
	now = k.now()
	idle := k.idle(ctx)
	if !k.await(ctx, func() bool { return idle() || k.anyHeld() && k.through(now, isHeld) }) {
		return k.tooLate()
	}
	return nil
}

// idle asks the runner whether its lists of this moment are over, which is some time after
// their last task: uploaded files are removed in between. What it returns is for await.
func (k *Kit) idle(ctx context.Context) func() bool {
	var over bool
	go func() {
		err := k.Runner.Wait(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		over = err == nil
		k.signal()
	}()
	return func() bool { return over }
}
