package bgriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A Task is what Define and DefineTx have defined: a function with a name. It can be used by any
// number of queues and goroutines.
type Task[A any] struct {
	def *definition
	fn  func(context.Context, A) error // nil: it needs a transaction
}

// A Definition is a *Task, of whatever argument: an entry of Config.Tasks.
type Definition interface{ defined() *definition }

// A Step is a task with its argument, ready to be added.
type Step struct {
	def    *definition
	arg    any
	memory bgtasks.Func // nil if it can't run in memory
}

// definition is a Task without the type of its argument.
type definition struct {
	name string
	opts []bgtasks.Option
	arg  reflect.Type
	err  error // why it is of no use

	// run calls the function with an argument as it was stored. tx is nil unless there is a
	// txType.
	run    func(ctx context.Context, tx any, arg json.RawMessage) error
	txType reflect.Type
}

// Define defines a task. Its name is stored with every unit, and is how a program that takes up
// the unit finds the function: don't change it, or the type of the argument in a way that JSON
// notices, while there are units with it. The options are those of bgtasks.Add.
//
// A definition that is of no use (no name, no function, an argument that JSON can't carry, When
// or Needs among the options) is refused when the queue is opened.
func Define[A any](name string, fn func(context.Context, A) error, opts ...bgtasks.Option) *Task[A] {
	d := newDefinition[A](name, opts)
	if fn == nil {
		d.err = errors.Join(d.err, errors.New("its function is nil"))
	}
	d.run = func(ctx context.Context, _ any, stored json.RawMessage) error {
		arg, err := decode[A](stored)
		if err != nil {
			return err
		}
		return fn(ctx, arg)
	}
	return &Task[A]{d, fn}
}

// DefineTx defines a task that does its work in a transaction, the one in which the step is
// recorded as done: what it does by tx is done exactly once, however often the process is killed.
// Tx is *sql.Tx on SQLite and pgx.Tx on Postgres. The transaction is begun before fn and
// committed after it, or rolled back if fn fails or its context ends. Otherwise it is like
// Define's, but can't be added in memory, where there is no record.
//
// fn should be quick and use the database by tx only. On SQLite a second transaction would wait for
// the write lock that tx holds, in vain; on Postgres for a connection, when all are taken by
// steps that do so.
func DefineTx[Tx, A any](name string, fn func(ctx context.Context, tx Tx, arg A) error, opts ...bgtasks.Option) *Task[A] {
	d := newDefinition[A](name, opts)
	d.txType = reflect.TypeFor[Tx]()
	if fn == nil {
		d.err = errors.Join(d.err, errors.New("its function is nil"))
	}
	d.run = func(ctx context.Context, tx any, stored json.RawMessage) error {
		arg, err := decode[A](stored)
		if err != nil {
			return err
		}
		return fn(ctx, tx.(Tx), arg)
	}
	return &Task[A]{def: d}
}

func newDefinition[A any](name string, opts []bgtasks.Option) *definition {
	d := &definition{name: name, opts: opts, arg: reflect.TypeFor[A]()}
	if name == "" {
		d.err = errors.New("it has no name")
	}
	d.err = errors.Join(d.err, bgtasks.CheckRun(opts...), carriable(d.arg))
	return d
}

func decode[A any](stored json.RawMessage) (arg A, err error) {
	if err := json.Unmarshal(stored, &arg); err != nil {
		return arg, fmt.Errorf("bgriver: the stored argument does not fit the task's %T: %w", arg, err)
	}
	return arg, nil
}

func (t *Task[A]) defined() *definition { return t.def }

// Name returns the name that the task was defined with.
func (t *Task[A]) Name() string { return t.def.name }

// With returns the task with its argument. A durable queue keeps the argument as it is when the
// step is added; in memory it is kept as Go does, so don't change what it points to.
func (t *Task[A]) With(arg A) Step {
	return Step{def: t.def, arg: arg, memory: bgtasks.Bind(t.fn, arg)}
}
