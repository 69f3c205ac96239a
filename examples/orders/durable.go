package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// A queue keeps the steps of orders in the database, with -durable.
type queue interface {
	// add stores an order's steps in the transaction of the order, as one unit.
	add(ctx context.Context, tx Tx, o Order, faults map[string]string) error

	// ui is River's user interface. It lives until ctx ends.
	ui(ctx context.Context, log *slog.Logger) (http.Handler, error)
}

// durable is the queue of a database: T is *sql.Tx on SQLite and pgx.Tx on Postgres.
type durable[T any] struct {
	*workflow
	*bgriver.Queue[T]
	steps []*bgriver.Task[Order]
	tx    func(T) Tx // the shop's view of a transaction
	under func(Tx) T // and back
}

// openDurable has the steps of orders stored from now on, and starts those that are left from before.
// They stop when the runner does.
func (a *api) openDurable(ctx context.Context, cfg *config, runner *bgtasks.Runner, addr net.Addr) (err error) {
	if !cfg.durable {
		return nil
	}
	if err := cfg.mayShowRiverUI(addr); err != nil {
		return err
	}
	if a.durable, err = openQueue(ctx, a.workflow, runner, cfg); err != nil || !cfg.riverUI {
		return err
	}
	if a.riverUI, err = a.durable.ui(ctx, runner.Logger()); err != nil {
		err = errors.Join(err, runner.Shutdown(ctx)) // the queue runs already
	}
	return err
}

// openQueue makes River's tables as well, or brings them up to date.
func openQueue(ctx context.Context, f *workflow, runner *bgtasks.Runner, cfg *config) (queue, error) {
	if f.store.postgres != nil {
		d := &durable[pgx.Tx]{
			workflow: f,
			tx:       func(tx pgx.Tx) Tx { return pgxTx{tx} },
			under:    func(tx Tx) pgx.Tx { return tx.(pgxTx).in },
		}
		err := bgriver.MigratePostgres(ctx, f.store.postgres)
		if err == nil {
			d.Queue, err = bgriver.OpenPostgres(ctx, f.store.postgres, runner, d.config(cfg))
		}
		return d, err
	}
	d := &durable[*sql.Tx]{
		workflow: f,
		tx:       func(tx *sql.Tx) Tx { return sqlTx{tx} },
		under:    func(tx Tx) *sql.Tx { return tx.(sqlTx).in.(*sql.Tx) },
	}
	err := bgriver.MigrateSQLite(ctx, f.store.write)
	if err == nil {
		d.Queue, err = bgriver.OpenSQLite(ctx, f.store.write, runner, d.config(cfg))
	}
	return d, err
}

func (d *durable[T]) config(cfg *config) bgriver.Config {
	d.steps = d.define()
	c := bgriver.Config{Lease: cfg.lease, River: river.Config{
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: cfg.maxRunning}},
		JobTimeout:           cfg.unitTimeout(),
		RescueStuckJobsAfter: cfg.rescue,
		Middleware:           []rivertype.Middleware{river.WorkerMiddlewareFunc(withOrder)},
	}}
	for _, step := range d.steps {
		c.Tasks = append(c.Tasks, step)
	}
	return c
}

// leastLease is bgriver's.
const leastLease = 10 * time.Second

// otherSteps is what a step without a limit of its own counts for in that of all.
const otherSteps = 10 * time.Second

// unitTimeout is what all steps of an order may take.
func (c *config) unitTimeout() time.Duration {
	return c.mailTimeout + c.webhookTimeout + 3*cmp.Or(c.taskTimeout, otherSteps) + time.Duration(len(stepNames))*c.pace
}

// about is what is stored with an order's unit, in River's metadata: what the middleware around its
// steps has to know.
type about struct {
	Order  int64             `json:"order"`
	Faults map[string]string `json:"faults,omitempty"`
}

func (d *durable[T]) add(ctx context.Context, tx Tx, o Order, faults map[string]string) error {
	metadata, err := json.Marshal(about{o.ID, faults})
	if err != nil {
		return err
	}
	var steps []bgriver.Step
	for _, step := range d.steps {
		steps = append(steps, step.With(o))
	}
	tags := []string{fmt.Sprintf("order-%d", o.ID)} // for people who look for it in River UI
	return d.With(river.InsertOpts{Metadata: metadata, Tags: tags}).AddTx(ctx, d.under(tx), steps...)
}

type aboutKey struct{}

// withOrder hands on what add has stored. It is middleware of River's, around all of a unit's steps.
func withOrder(ctx context.Context, job *rivertype.JobRow, unit func(context.Context) error) error {
	var stored about
	if err := json.Unmarshal(job.Metadata, &stored); err != nil {
		return fmt.Errorf("metadata of job %d: %w", job.ID, err)
	}
	return unit(context.WithValue(ctx, aboutKey{}, stored))
}
