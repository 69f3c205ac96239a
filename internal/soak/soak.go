package main

import (
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
	target  string // binaries
	started time.Time
}

// soak starts the processes again and again, attacks, and compares the ledgers.
func soak(cfg config) (*report, error) {
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
	defer s.acked.close()
	defer s.orders.close()
	s.started = time.Now()
	random := rand.New(rand.NewPCG(cfg.seed, 0))
	for life := 0; ; life++ {
		last := time.Since(s.started) > cfg.duration-cfg.life*3/2
		length := cfg.life/2 + time.Duration(random.Int64N(int64(cfg.life)))
		if err := s.live(life, length, last); err != nil {
			return nil, fmt.Errorf("life %d: %w (see %s)", life, err, dir)
		}
		if last {
			break
		}
	}
	if err := s.compare(); err != nil {
		return nil, err
	}
	s.report.took = time.Since(s.started)
	if len(s.report.broken) == 0 {
		remove()
	} else {
		s.report.dir = dir
	}
	return s.report, nil
}

// prepare builds the programs and begins the ledgers.
func (s *run) prepare() (err error) {
	if s.target, err = s.build(filepath.Join(s.root, "internal/soak"), "./target"); err != nil {
		return err
	}
	orders, err := s.build(filepath.Join(s.root, "examples/orders"), ".")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.uploads(), 0o755); err != nil {
		return err
	}
	if s.acked.ledger, err = plan.OpenLedger(filepath.Join(s.dir, "clients.ledger")); err != nil {
		return err
	}
	s.orders, err = newOrders(s, orders)
	return err
}

// uploads is the folder for the target's temporary files.
func (s *run) uploads() string { return filepath.Join(s.dir, "tmp") }

// live is the life of one process of each program, under attack from beginning to end. The
// last one is left in peace at the end, and must then be as it was in the beginning.
func (s *run) live(life int, length time.Duration, last bool) error {
	t, err := s.startTarget()
	if err != nil {
		return err
	}
	defer t.kill()
	if err := s.orders.start(); err != nil {
		return err
	}
	defer s.orders.process.kill()
	before, err := t.stats()
	if err != nil {
		return err
	}
	done := make(chan struct{})
	var clients sync.WaitGroup
	s.attack(t, life, done, &clients)
	go s.report.sample(t)
	select {
	case <-time.After(length):
	case <-t.exited:
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
		s.orders.hang(life)
	}
	s.terminate(t, last)
	s.orders.terminate(last)
	if !last {
		close(done)
		clients.Wait()
		s.report.restarts++
	}
	s.log("%s: life %d: %s", time.Since(s.started).Round(time.Second), life, s.report.progress())
	return nil
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
