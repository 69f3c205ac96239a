package bgriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// A Queue stores units in a database and has River run them. OpenSQLite and OpenPostgres make
// one; Tx is *sql.Tx or pgx.Tx. One is enough for a program. Its methods may be called from any
// goroutine.
type Queue[Tx any] struct {
	*engine[Tx]
	opts river.InsertOpts
}

// engine is what all Queues made by With have in common.
type engine[Tx any] struct {
	runner     *bgtasks.Runner
	db         database[Tx]
	client     *river.Client[Tx]
	tasks      map[string]*definition
	lease      time.Duration
	jobTimeout time.Duration
	releases   releases
	stopping   atomic.Bool
}

func open[Tx any](ctx context.Context, db database[Tx], runner *bgtasks.Runner, cfg Config) (*Queue[Tx], error) {
	if runner == nil {
		return nil, errors.New("bgriver: a queue needs a runner: make one with bgtasks.New")
	}
	e := &engine[Tx]{runner: runner, db: db}
	var err error
	if e.lease, err = cfg.lease(); err != nil {
		return nil, err
	}
	if e.jobTimeout, err = cfg.jobTimeout(); err != nil {
		return nil, err
	}
	if e.tasks, err = cfg.registry(); err != nil {
		return nil, err
	}
	for _, d := range e.tasks {
		if d.txType != nil && d.txType != reflect.TypeFor[Tx]() {
			return nil, fmt.Errorf("bgriver: task %q works in a %s, transactions of this database are %s", d.name, d.txType, reflect.TypeFor[Tx]())
		}
	}
	if err := db.check(ctx); err != nil {
		return nil, err
	}
	if err := db.migrated(ctx, cfg.River.Schema); err != nil {
		return nil, err
	}
	return e.start(ctx, cfg.riverConfig(e.jobTimeout, runner.Logger()))
}

// start has River run the units, until the runner shuts down.
func (e *engine[Tx]) start(ctx context.Context, cfg *river.Config) (*Queue[Tx], error) {
	if cfg.Workers == nil {
		cfg.Workers = river.NewWorkers()
	}
	if err := river.AddWorkerSafely(cfg.Workers, &worker[Tx]{engine: e}); err != nil {
		return nil, fmt.Errorf("bgriver: Config.River.Workers: %w (each queue needs Workers of its own)", err)
	}
	cfg.ErrorHandler = &usedUp{runner: e.runner, next: cfg.ErrorHandler}
	var err error
	if e.client, err = river.NewClient(e.db.driver, cfg); err != nil {
		return nil, fmt.Errorf("bgriver: Config.River: %w", err)
	}
	if err := e.stopWithRunner(); err != nil {
		return nil, err
	}
	if err := e.client.Start(context.Background()); err != nil { // shutDown ends it
		return nil, fmt.Errorf("bgriver: %w", err)
	}
	if e.stopping.Load() { // shutDown may have come before there was anything to stop
		return nil, errors.Join(errTooLate, e.client.StopAndCancel(ctx))
	}
	return &Queue[Tx]{engine: e}, nil
}

var errTooLate = fmt.Errorf("bgriver: a queue is to be opened before the runner shuts down: %w", bgtasks.ErrShutdown)

// stopWithRunner has the runner's shutdown stop River. OnShutdown panics once there is one.
func (e *engine[Tx]) stopWithRunner() (err error) {
	defer func() {
		if recover() != nil {
			err = errTooLate
		}
	}()
	e.runner.OnShutdown(e.shutDown)
	return nil
}

// Client is River's client, for what is River's: its user interface, jobs of other kinds,
// cancelling a job. Don't stop it: the runner's shutdown does, in its order.
func (q *Queue[Tx]) Client() *river.Client[Tx] { return q.client }

// With returns the same queue with other River options for what is added to it: unique options,
// attempts, priority, a queue of River's, tags, a later time. A unit with a ScheduledAt waits for
// that, and a Pending one for you, not for a response.
func (q *Queue[Tx]) With(opts river.InsertOpts) *Queue[Tx] {
	return &Queue[Tx]{q.engine, opts}
}

// Add stores the steps as one unit, in a transaction of its own. When it returns nil the unit
// is stored, or one that River's unique options call the same. When it returns an error the
// unit is not stored (or, if the connection is lost in the middle of the commit, perhaps); the
// handler can still answer 503.
//
// Unlike adding in memory, Add waits for the database, and takes heed of the end of ctx. It
// works during a shutdown too.
func (q *Queue[Tx]) Add(ctx context.Context, steps ...Step) error {
	return q.add(ctx, steps, func(u unit, opts *river.InsertOpts) (*rivertype.JobInsertResult, error) {
		return q.client.Insert(ctx, u, opts)
	})
}

// AddTx stores the steps as one unit in the transaction tx: if that is committed the unit is
// stored, and if it is rolled back there has never been one. An error means that it is not
// stored, and that tx should be rolled back.
func (q *Queue[Tx]) AddTx(ctx context.Context, tx Tx, steps ...Step) error {
	return q.add(ctx, steps, func(u unit, opts *river.InsertOpts) (*rivertype.JobInsertResult, error) {
		return q.client.InsertTx(ctx, tx, u, opts)
	})
}

func (q *Queue[Tx]) add(ctx context.Context, steps []Step, insert func(unit, *river.InsertOpts) (*rivertype.JobInsertResult, error)) error {
	if err := q.knows(steps); err != nil {
		return err
	}
	u, err := newUnit(steps)
	if err != nil {
		return err
	}
	hold := q.hold(ctx)
	id := int64(0)
	defer func() { hold.stored(id) }() // also if a hook of River's panics, or a transaction that is nil
	opts, err := q.insertOpts(hold)
	if err != nil {
		return err
	}
	res, err := insert(u, opts)
	switch {
	case err != nil:
		return fmt.Errorf("bgriver: unit not stored (%s): %w", u, err)
	case !res.UniqueSkippedAsDuplicate: // else the job is another request's
		id = res.Job.ID
	}
	return nil
}

// knows refuses steps of tasks that could not be run when their turn comes.
func (e *engine[Tx]) knows(steps []Step) error {
	if err := usable(steps); err != nil {
		return err
	}
	for _, s := range steps {
		if e.tasks[s.def.name] != s.def {
			return fmt.Errorf("bgriver: task %q is not in the queue's Config.Tasks, where it would be looked for", s.def.name)
		}
	}
	return nil
}

// insertOpts are the queue's with the unit's metadata, and the end of the lease as its time.
func (q *Queue[Tx]) insertOpts(h *hold) (*river.InsertOpts, error) {
	opts := q.opts
	if err := tellsTasksApart(opts.UniqueOpts); err != nil {
		return nil, err
	}
	var err error
	if opts.Metadata, err = withCarriage(opts.Metadata, h.carries); err != nil {
		return nil, err
	}
	if h.waits && opts.ScheduledAt.IsZero() && !opts.Pending {
		opts.ScheduledAt = h.until
	} else {
		h.drop()
	}
	return &opts, nil
}

// tellsTasksApart refuses unique options that would make units of different tasks the same: it is
// in the arguments that River has the tasks.
func tellsTasksApart(opts river.UniqueOpts) error {
	if opts.ByArgs || reflect.ValueOf(opts).IsZero() {
		return nil
	}
	return errors.New("bgriver: InsertOpts.UniqueOpts without ByArgs: units are jobs of one kind to River, so one would be taken for a duplicate of another task's, and lost: set ByArgs, by which units are the same if their tasks and arguments are")
}

// withCarriage adds what the unit takes along to metadata of the program's own, which stay as
// they are.
func withCarriage(own []byte, c carriage) ([]byte, error) {
	var fields map[string]json.RawMessage
	if len(own) > 0 {
		if err := json.Unmarshal(own, &fields); err != nil {
			return nil, fmt.Errorf("bgriver: InsertOpts.Metadata is to be a JSON object: %w", err)
		}
	}
	if fields == nil { // there are none, or null
		fields = map[string]json.RawMessage{}
	}
	carried, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("bgriver: %w", err)
	}
	fields["bgtasks"] = carried
	return json.Marshal(fields)
}
