package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite"
)

// The same shop twice: both store an order and a job with five steps in one transaction, have the
// job wait for the response or the end of a lease, and record each step in a transaction.

// durableKind is the kind of server that durableHandler makes.
func durableKind(database, kind, url string) string {
	return strings.Join([]string{"durable", database, kind, url}, "\n")
}

// durableHandler is that of a durable shop; ok is false if kind is another.
func durableHandler(kind string) (_ http.Handler, ok bool) {
	part := strings.Split(kind, "\n")
	if len(part) != 4 || part[0] != "durable" {
		return nil, false
	}
	database, byHand, url := part[1], part[2] == "hand", part[3]
	if database == "SQLite" {
		return newDurableShop(onSQLite(url), byHand), true
	}
	return newDurableShop(onPostgres(url), byHand), true
}

// durableShop counts the units that are not through.
type durableShop struct {
	through sync.WaitGroup
	began   atomic.Int64 // when the first step of a unit did so last: nanoseconds of Unix time
}

var durableSteps = []string{"validate order", "update inventory", "send confirmation", "notify fulfilment", "write audit"}

// step is what step i of an order does: nothing that takes time.
func (s *durableShop) step(i int) {
	switch i {
	case 0:
		s.began.Store(time.Now().UnixNano())
	case len(durableSteps) - 1:
		s.through.Done()
	}
}

func newDurableShop[Tx any](st store[Tx], byHand bool) http.Handler {
	s := new(durableShop)
	run := bgtasks.New(bgtasks.Config{MaxPending: -1})
	var add func(context.Context) error
	if byHand {
		add = handWritten(s, st)
	} else {
		add = bridged(s, run, st)
	}
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(run))
	r.Post("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.through.Add(1)
		must(add(r.Context()))
		w.WriteHeader(http.StatusCreated)
	})
	r.Get("/through", func(w http.ResponseWriter, _ *http.Request) {
		s.through.Wait()
		fmt.Fprint(w, s.began.Load())
	})
	r.Get("/cpu", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, int64(cpu())) })
	r.Mount("/debug", middleware.Profiler())
	return r
}

const durablePoll = 100 * time.Millisecond

// durableRiver is what both shops configure River with, and should be silent.
func durableRiver() river.Config {
	return river.Config{
		FetchPollInterval: durablePoll,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
		Logger:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// bridged stores an order and its unit with bgriver.
func bridged[Tx any](s *durableShop, run *bgtasks.Runner, st store[Tx]) func(context.Context) error {
	tasks := make([]*bgriver.Task[int64], len(durableSteps))
	cfg := bgriver.Config{River: durableRiver()}
	for i, name := range durableSteps {
		tasks[i] = bgriver.Define(name, func(context.Context, int64) error { s.step(i); return nil })
		cfg.Tasks = append(cfg.Tasks, tasks[i])
	}
	queue, err := st.open(run, cfg)
	must(err)
	return func(ctx context.Context) error {
		return st.inTx(ctx, func(tx Tx) error {
			id, err := st.insert(ctx, tx)
			if err != nil {
				return err
			}
			unit := make([]bgriver.Step, len(tasks))
			for i, task := range tasks {
				unit[i] = task.With(id)
			}
			return queue.AddTx(ctx, tx, unit...)
		})
	}
}

// handWritten does so with a River job of its own, which a task releases after the response.
func handWritten[Tx any](s *durableShop, st store[Tx]) func(context.Context) error {
	cfg := durableRiver()
	cfg.Workers = river.NewWorkers()
	river.AddWorker(cfg.Workers, &handWorker[Tx]{store: st, shop: s})
	client, err := river.NewClient(st.driver, &cfg)
	must(err)
	must(client.Start(context.Background()))
	return func(ctx context.Context) error {
		var job int64
		err := st.inTx(ctx, func(tx Tx) error {
			id, err := st.insert(ctx, tx)
			if err != nil {
				return err
			}
			metadata, err := json.Marshal(requestOf(ctx))
			if err != nil {
				return err
			}
			res, err := client.InsertTx(ctx, tx, handArgs{id}, &river.InsertOpts{ScheduledAt: time.Now().Add(30 * time.Second), Metadata: metadata})
			if err != nil {
				return err
			}
			job = res.Job.ID
			return nil
		})
		if err != nil {
			return err
		}
		return bgtasks.Add(ctx, "release", func(ctx context.Context) error {
			_, err := client.JobRetry(ctx, job)
			return err
		})
	}
}

type handArgs struct {
	Order int64 `json:"order"`
}

func (handArgs) Kind() string { return "order" }

// handRequest is what a job by hand keeps of its request, for its log and those that it talks to:
// what bgriver keeps.
type handRequest struct {
	Request struct {
		ID     string `json:"id,omitempty"`
		Route  string `json:"route"`
		Method string `json:"method"`
		Key    string `json:"key"`
	} `json:"request"`
}

func requestOf(ctx context.Context) (r handRequest) {
	route := chi.RouteContext(ctx)
	r.Request.ID, r.Request.Key = middleware.GetReqID(ctx), rand.Text()
	r.Request.Route, r.Request.Method = route.RoutePattern(), route.RouteMethod
	return r
}

type handWorker[Tx any] struct {
	river.WorkerDefaults[handArgs]
	store[Tx]
	shop *durableShop
}

// Work runs the steps, recording each: without ResumableSetStepTx a killed process's job
// would begin again with the first.
func (w *handWorker[Tx]) Work(ctx context.Context, job *river.Job[handArgs]) error {
	var from handRequest
	if err := json.Unmarshal(job.Metadata, &from); err != nil {
		return err
	}
	for i, name := range durableSteps {
		river.ResumableStep(ctx, name, nil, func(ctx context.Context) error {
			w.shop.step(i)
			return w.inTx(ctx, func(tx Tx) error {
				_, err := river.ResumableSetStepTx[riverdriver.Driver[Tx]](ctx, tx, job)
				return err
			})
		})
	}
	return nil
}

// store is a database, with River's tables and one for orders.
type store[Tx any] struct {
	driver riverdriver.Driver[Tx]
	inTx   func(ctx context.Context, do func(tx Tx) error) error
	insert func(ctx context.Context, tx Tx) (id int64, err error) // an order
	open   func(*bgtasks.Runner, bgriver.Config) (*bgriver.Queue[Tx], error)
}

const insertOrder = "INSERT INTO orders (customer) VALUES ('c-1') RETURNING id"

func onSQLite(path string) store[*sql.Tx] {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(NORMAL)&_txlock=immediate")
	must(err)
	db.SetMaxOpenConns(4) // see bgriver.OpenSQLite
	must(bgriver.MigrateSQLite(ctx, db))
	_, err = db.Exec("CREATE TABLE orders (id integer PRIMARY KEY, customer text NOT NULL)")
	must(err)
	return store[*sql.Tx]{
		driver: riversqlite.New(db),
		inTx: func(ctx context.Context, do func(*sql.Tx) error) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }()
			if err := do(tx); err != nil {
				return err
			}
			return tx.Commit()
		},
		insert: func(ctx context.Context, tx *sql.Tx) (id int64, err error) {
			err = tx.QueryRowContext(ctx, insertOrder).Scan(&id)
			return id, err
		},
		open: func(run *bgtasks.Runner, cfg bgriver.Config) (*bgriver.Queue[*sql.Tx], error) {
			return bgriver.OpenSQLite(ctx, db, run, cfg)
		},
	}
}

func onPostgres(url string) store[pgx.Tx] {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	must(err)
	must(bgriver.MigratePostgres(ctx, pool))
	_, err = pool.Exec(ctx, "CREATE TABLE orders (id bigserial PRIMARY KEY, customer text NOT NULL)")
	must(err)
	return store[pgx.Tx]{
		driver: riverpgxv5.New(pool),
		inTx:   func(ctx context.Context, do func(pgx.Tx) error) error { return pgx.BeginFunc(ctx, pool, do) },
		insert: func(ctx context.Context, tx pgx.Tx) (id int64, err error) {
			err = tx.QueryRow(ctx, insertOrder).Scan(&id)
			return id, err
		},
		open: func(run *bgtasks.Runner, cfg bgriver.Config) (*bgriver.Queue[pgx.Tx], error) {
			return bgriver.OpenPostgres(ctx, pool, run, cfg)
		},
	}
}
