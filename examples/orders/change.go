package main

import (
	"context"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A followUp is a task that is to follow a change.
type followUp struct {
	name string
	fn   bgtasks.Func
	opts []bgtasks.Option
}

// change makes a change to the database and adds the tasks that follow it, all or none. They
// are added before the change is committed, so that what a client is told has been stored has
// its tasks; they start after the handler has returned, so by then it is committed.
func (s *Store) change(ctx context.Context, f func(context.Context, Tx) ([]followUp, error)) error {
	var added []followUp
	err := s.tx(ctx, func(tx Tx) error {
		tasks, err := f(ctx, tx)
		if err == nil {
			err = addAll(ctx, tasks)
		}
		if err == nil {
			added = tasks
		}
		return err
	})
	if err != nil {
		forgetAll(ctx, added)
	}
	return err
}

// addAll adds the tasks in their order. If one is refused it takes back those before it.
func addAll(ctx context.Context, tasks []followUp) error {
	for i, task := range tasks {
		if err := bgtasks.Add(ctx, task.name, task.fn, task.opts...); err != nil {
			forgetAll(ctx, tasks[:i])
			return err
		}
	}
	return nil
}

func forgetAll(ctx context.Context, tasks []followUp) {
	for _, task := range tasks {
		bgtasks.Forget(ctx, task.name)
	}
}
