package bgriver

import (
	"context"
	"fmt"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// Add adds each step to the list of ctx as a task in memory: it is bgtasks.Add, for steps of
// defined tasks, and a killed process loses them. They are tasks like any others: one that
// fails is not tried again unless its options say Retry, and does not keep the next from
// running. The first step that is refused ends Add with that error; those before it have been
// accepted.
func Add(ctx context.Context, steps ...Step) error {
	if err := usable(steps); err != nil {
		return err
	}
	for _, s := range steps {
		if s.memory == nil {
			return fmt.Errorf("bgriver: task %q does its work in the transaction that records it: it can only be added to a Queue", s.def.name)
		}
	}
	for _, s := range steps {
		key, run := newKey(), s.memory
		keyed := func(ctx context.Context) error { return run(withKey(ctx, key)) }
		if err := bgtasks.Add(ctx, s.def.name, keyed, s.def.opts...); err != nil {
			return err
		}
	}
	return nil
}
