package bgtest

import (
	"context"
	"time"
)

// end is the test's last cleanup.
func (k *Kit) end() {
	k.t.Helper()
	defer k.log.close()
	k.finish()
	k.stop()
	k.judge()
}

// finish waits for the tasks that the test has not waited for, unless it has waited in vain
// before: a task may fail yet.
func (k *Kit) finish() {
	k.t.Helper()
	if k.isLate() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.deadline())
	defer cancel()
	now := k.now()
	if !k.await(ctx, func() bool { return k.through(now, isHeldOrHangs) }) {
		k.t.Errorf("at the end of the test: %v", k.tooLate())
	}
}

func (k *Kit) isLate() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.late
}

// grace is how long tasks that have been cancelled get to return.
const grace = 5 * time.Second

// stop shuts the runner down, so that no goroutine is left: in an orderly way, as what was
// given to OnShutdown may need time, but at once where tasks are left that are not to go on.
func (k *Kit) stop() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	left := k.tasksLeft()
	if left {
		cancel()
	}
	before := k.Runner.Snapshot(0).Closing
	err := k.Runner.Shutdown(ctx)
	switch {
	case err == nil:
	case left, before: // what was given to OnShutdown had no time; or the test has seen the error
		k.t.Logf("bgtest: at the end of the test: %v", err)
	default:
		k.t.Errorf("bgtest: at the end of the test: %v", err)
	}
	soon, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if k.Runner.Wait(soon) != nil {
		k.t.Errorf("bgtest: tasks do not return though their context ended %v ago: %v", grace, err)
	}
}

func (k *Kit) tasksLeft() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.lists) > 0
}
