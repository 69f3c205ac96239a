package bgriver_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/pgtest"
)

// What the bridge costs: the same shop twice, on the same machine at the same time, in turns. One
// uses this package. The other is written by hand on River: the order and a job scheduled for the
// end of a lease in one transaction, JobRetry when the response has been sent, and a worker
// whose five steps each record themselves with ResumableSetStepTx.
//
//	go test -run '^$' -bench . -benchtime 10x
//
// An iteration is a round of orders at each shop. Metrics: orders/s from the first request to the
// last answer; units/s to the end of the last step; ms from a response to its first step, the
// median of single orders on an idle shop; the CPU time of this process an order, with all its
// steps; ratios of bridge to hand, medians of rounds. On a busy machine look at the CPU time.
func BenchmarkOrders(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) {
		benchOrders(b, newSQLite(b), newSQLite(b))
	})
	b.Run("Postgres", func(b *testing.B) {
		c, err := pgtest.New() // with fsync
		if err != nil {
			b.Skip(err)
		}
		defer func() { require.NoError(b, c.Close()) }()
		one, err := c.Database()
		require.NoError(b, err)
		two, err := c.Database()
		require.NoError(b, err)
		benchOrders(b, postgresAt(b, one), postgresAt(b, two))
	})
}

const (
	benchRound   = 200 // orders
	benchClients = 8
	benchSingle  = 5
)

// benchRiver is what both shops configure River with.
func benchRiver() river.Config {
	return river.Config{FetchPollInterval: 100 * time.Millisecond, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}}}
}

func benchOrders[Tx any](b *testing.B, forBridge, forHand *base[Tx]) {
	bridge, hand := bridgeShop(b, forBridge), handShop(b, forHand)
	var rates, throughs, latencies [2][]float64
	var cpus [2][]float64
	var ratios, cpuRatios []float64
	for b.Loop() {
		for i, shop := range []*benchShop{bridge, hand} {
			before := cpuTime()
			rate, through := shop.round(b)
			cpus[i] = append(cpus[i], (cpuTime()-before).Seconds()*1000/benchRound)
			rates[i], throughs[i] = append(rates[i], rate), append(throughs[i], through)
			for range benchSingle {
				latencies[i] = append(latencies[i], shop.single(b).Seconds()*1000)
			}
		}
		n := len(rates[0]) - 1
		ratios = append(ratios, rates[0][n]/rates[1][n])
		cpuRatios = append(cpuRatios, cpus[0][n]/cpus[1][n])
	}
	for i, name := range []string{"bridge", "hand"} {
		b.ReportMetric(middle(rates[i]), name+"-orders/s")
		b.ReportMetric(middle(throughs[i]), name+"-units/s")
		b.ReportMetric(middle(latencies[i]), name+"-ms-to-step")
		b.ReportMetric(middle(cpus[i]), name+"-cpu-ms/order")
	}
	b.ReportMetric(middle(ratios), "orders-ratio")
	b.ReportMetric(middle(cpuRatios), "cpu-ratio")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what this process has used, which other processes on the machine hardly change.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

type benchShop struct {
	url     string
	client  *http.Client
	first   chan time.Time // when the first step of a unit began
	through sync.WaitGroup // units
	orders  atomic.Int64
}

func newBenchShop(b *testing.B, runner *bgtasks.Runner, order http.HandlerFunc) *benchShop {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/", order)
	server := httptest.NewUnstartedServer(r)
	chimw.Attach(server.Config)
	server.Start()
	b.Cleanup(server.Close)
	return &benchShop{url: server.URL, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchClients}}}
}

func (s *benchShop) order(b *testing.B) {
	res, err := s.client.Post(s.url, "", nil)
	require.NoError(b, err)
	_, _ = io.Copy(io.Discard, res.Body)
	require.NoError(b, res.Body.Close())
	require.Equal(b, http.StatusOK, res.StatusCode)
}

func (s *benchShop) round(b *testing.B) (rate, through float64) {
	s.through.Add(benchRound)
	began := time.Now()
	var clients sync.WaitGroup
	for range benchClients {
		clients.Go(func() {
			for range benchRound / benchClients {
				s.order(b)
			}
		})
	}
	clients.Wait()
	rate = benchRound / time.Since(began).Seconds()
	s.through.Wait()
	return rate, benchRound / time.Since(began).Seconds()
}

func (s *benchShop) single(b *testing.B) time.Duration {
	<-time.After(150 * time.Millisecond) // the poll before must not pick it up by chance
	s.first = make(chan time.Time, 1)
	s.through.Add(1)
	s.order(b)
	answered := time.Now()
	began := await(b, s.first, "the step")
	s.through.Wait()
	s.first = nil
	return began.Sub(answered)
}

// step is what step n of an order does, in both shops: nothing that takes time.
func (s *benchShop) step(n int) {
	if n == 1 && s.first != nil {
		s.first <- time.Now()
	}
	if n == stepsOfAnOrder {
		s.through.Done()
	}
}

func bridgeShop[Tx any](b *testing.B, db *base[Tx]) *benchShop {
	var shop *benchShop
	tasks := make([]*bgriver.Task[int64], stepsOfAnOrder)
	cfg := bgriver.Config{River: benchRiver()}
	for i := range tasks {
		tasks[i] = bgriver.Define(names[i], func(context.Context, int64) error { shop.step(i + 1); return nil })
		cfg.Tasks = append(cfg.Tasks, tasks[i])
	}
	runner := bgtasks.New(bgtasks.Config{Logger: quietLog})
	queue, err := db.open(runner, cfg)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, runner.Shutdown(context.Background())) })
	shop = newBenchShop(b, runner, func(w http.ResponseWriter, r *http.Request) {
		id := shop.orders.Add(1)
		benchTx(w, r, db, func(tx Tx) error {
			unit := make([]bgriver.Step, len(tasks))
			for i, task := range tasks {
				unit[i] = task.With(id)
			}
			return queue.AddTx(r.Context(), tx, unit...)
		})
	})
	return shop
}

var names = []string{"validate order", "update inventory", "send confirmation", "notify fulfilment", "write audit"}

func benchTx[Tx any](w http.ResponseWriter, r *http.Request, db *base[Tx], add func(Tx) error) {
	tx, commit, rollback, err := db.begin(r.Context())
	if err == nil {
		if err = db.exec(r.Context(), tx, "INSERT INTO done VALUES ('order')"); err == nil {
			err = add(tx)
		}
		if err == nil {
			err = commit()
		} else {
			_ = rollback()
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

type handArgs struct {
	Order int64 `json:"order"`
}

func (handArgs) Kind() string { return "order" }

type handWorker[Tx any] struct {
	river.WorkerDefaults[handArgs]
	db   *base[Tx]
	step func(int)
}

func (w *handWorker[Tx]) Work(ctx context.Context, job *river.Job[handArgs]) error {
	for i, name := range names {
		river.ResumableStep(ctx, name, nil, func(ctx context.Context) error {
			w.step(i + 1)
			tx, commit, rollback, err := w.db.begin(ctx)
			if err != nil {
				return err
			}
			if _, err := river.ResumableSetStepTx[riverdriver.Driver[Tx]](ctx, tx, job); err != nil {
				_ = rollback()
				return err
			}
			return commit()
		})
	}
	return nil
}

func handShop[Tx any](b *testing.B, db *base[Tx]) *benchShop {
	var shop *benchShop
	cfg := benchRiver()
	cfg.Logger, cfg.Workers = quietLog, river.NewWorkers()
	river.AddWorker(cfg.Workers, &handWorker[Tx]{db: db, step: func(n int) { shop.step(n) }})
	client, err := river.NewClient(db.driver(), &cfg)
	require.NoError(b, err)
	require.NoError(b, client.Start(context.Background()))
	runner := bgtasks.New(bgtasks.Config{Logger: quietLog})
	b.Cleanup(func() { require.NoError(b, client.Stop(context.Background())) })
	shop = newBenchShop(b, runner, func(w http.ResponseWriter, r *http.Request) {
		var id int64
		benchTx(w, r, db, func(tx Tx) error {
			res, err := client.InsertTx(r.Context(), tx, handArgs{shop.orders.Add(1)}, &river.InsertOpts{ScheduledAt: time.Now().Add(30 * time.Second)})
			if err == nil {
				id = res.Job.ID
			}
			return err
		})
		_ = bgtasks.Add(r.Context(), "release", func(ctx context.Context) error {
			_, err := client.JobRetry(ctx, id)
			return err
		})
	})
	return shop
}
