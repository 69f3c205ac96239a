package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
)

// A run is one soak.
type run struct {
	config
	report  *report
	acked   acks   // of the target
	ledger  string // the target's
	orders  *orders
	target  string // binary
	guard   *guard
	started time.Time
	usual   time.Duration // what an answer takes at the most, before the last overload
}

var errInterrupted = errors.New("interrupted")

// soak starts the processes again and again, attacks, and compares the ledgers. The end of ctx
// ends the processes, and the soak without a report.
func soak(ctx context.Context, cfg config) (*report, error) {
	dir, remove := cfg.dir, func() {}
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "soak-"); err != nil {
			return nil, err
		}
		remove = func() { _ = os.RemoveAll(dir) }
	}
	s := &run{config: cfg, report: newReport(cfg)}
	s.dir, s.ledger = dir, filepath.Join(dir, "server.ledger")
	if err := s.prepare(); err != nil {
		return nil, err
	}
	defer s.guard.end()
	defer context.AfterFunc(ctx, s.guard.end)()
	defer s.acked.close()
	defer s.orders.close()
	s.started = time.Now()
	err := s.lives()
	if err == nil {
		err = s.compare()
	}
	if ctx.Err() != nil {
		remove()
		return nil, errInterrupted
	}
	if err != nil {
		return nil, fmt.Errorf("%w (see %s)", err, dir)
	}
	s.report.took = time.Since(s.started)
	s.report.memoryIsBounded(s.race)
	if len(s.report.broken) == 0 {
		remove()
	} else {
		s.report.dir = dir
	}
	return s.report, nil
}

// lives attacks one process of each program after the other.
func (s *run) lives() error {
	random := rand.New(rand.NewPCG(s.seed, 0))
	for life := 0; ; life++ {
		last := time.Since(s.started) > s.duration-s.life*3/2
		length := s.life/2 + time.Duration(random.Int64N(int64(s.life)))
		if err := s.live(life, length, last); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		if last {
			return nil
		}
	}
}

// prepare builds the programs and begins the ledgers.
func (s *run) prepare() (err error) {
	if s.target, err = s.build(filepath.Join(s.root, "internal/soak"), "./target"); err != nil {
		return err
	}
	guard, err := s.build(filepath.Join(s.root, "internal/soak"), "./guard")
	if err != nil {
		return err
	}
	orders, err := s.build(filepath.Join(s.root, "examples/orders"), ".")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.uploads(), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(s.shopTemp(), 0o755); err != nil {
		return err
	}
	if s.acked.ledger, err = plan.OpenLedger(filepath.Join(s.dir, "clients.ledger")); err != nil {
		return err
	}
	if s.orders, err = newOrders(s, orders); err != nil {
		return err
	}
	s.guard, err = startGuard(guard)
	return err
}

// uploads is the folder for the target's temporary files.
func (s *run) uploads() string { return filepath.Join(s.dir, "tmp") }

// shopTemp is that for orders.
func (s *run) shopTemp() string { return filepath.Join(s.dir, "shop-tmp") }

// live is the life of one process of each program, under attack from beginning to end. The
// last one is left in peace at the end, and must then be as it was in the beginning.
func (s *run) live(life int, length time.Duration, last bool) error {
	t, err := s.startTarget(life)
	if err != nil {
		return err
	}
	defer t.kill()
	before, err := t.stats()
	if err != nil {
		return err
	}
	back := recovery{first: time.Since(t.began)}
	if err := s.orders.start(); err != nil {
		return err
	}
	defer s.orders.process.kill()
	back.orders = time.Since(s.orders.process.began)
	if s.orders.before, err = s.orders.goroutines(); err != nil {
		return err
	}
	s.log("life %d: target at http://%s, orders at http://%s", life, t.plain, s.orders.process.plain)
	done := make(chan struct{})
	var clients sync.WaitGroup
	s.attack(t, life, done, &clients)
	go s.report.sample(t)
	go s.orders.sample(s.orders.process)
	if life > 0 {
		s.settle(t, life, &back)
		s.report.restarted(back)
	}
	select {
	case <-time.After(length):
	case <-t.exited:
		if s.guard.hasEnded() {
			return errInterrupted
		}
		s.report.breaks("target: ended by itself: %s", t.stderr())
	}
	if life%3 == 0 || last {
		s.overload(t, life)
	}
	if last {
		close(done)
		clients.Wait()
		s.calmDown(t, before)
	} else {
		s.hang(t, life)
		(&client{run: s, t: t, random: rand.New(rand.NewPCG(s.seed, uint64(life)))}).hangShop(life)
	}
	var both sync.WaitGroup
	both.Go(func() { s.terminate(t, last) })
	both.Go(func() { s.orders.terminate(last) })
	both.Wait()
	if !last {
		close(done)
		clients.Wait()
		s.report.restarts++
	}
	s.log("%s: life %d: %s", time.Since(s.started).Round(time.Second), life, s.report.progress())
	return nil
}

// settle sees how long it takes until the new process answers as fast as the one before.
func (s *run) settle(t *process, life int, back *recovery) {
	web := newWeb()
	defer web.close()
	_, back.settled = s.prober(t, fmt.Sprintf("%d-restart", life), web).settles(s.usual)
}

// terminate sends SIGTERM, and the process must end in the time that it was given.
func (s *run) terminate(t *process, last bool) {
	began := time.Now()
	took, err := t.terminate(s.grace + time.Second + shutdownSlack)
	s.report.shutdown(took)
	if err != nil {
		s.report.breaks("target: %v after SIGTERM %s ago: %s", err, time.Since(began).Round(time.Second), t.stderr())
	}
	if code := t.cmd.ProcessState; err == nil && !code.Success() {
		s.report.breaks("target: %v: %s", code, t.stderr())
	}
	if last {
		left, _ := filepath.Glob(filepath.Join(s.uploads(), "multipart-*"))
		for _, file := range left {
			s.report.breaks("temporary file of an upload left: %s", file)
		}
	}
}

// shutdownSlack is for a machine that has much else to do.
const shutdownSlack = 10 * time.Second

// calmDown waits until the process has done all, and compares its goroutines.
func (s *run) calmDown(t *process, before stats) {
	var now stats
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if now, err = t.stats(); err == nil && now.Pending == 0 && now.Goroutines <= before.Goroutines+5 {
			return
		}
	}
	s.report.breaks("after the last request: %d goroutines (%d in the beginning), %d pending tasks, %v",
		now.Goroutines, before.Goroutines, now.Pending, err)
}
