package main

import (
	"testing"
	"time"
)

// A soak of seconds, of which `make soak` is the long form.
func TestNoPromiseIsBrokenUnderFire(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, and takes seconds")
	}
	t.Parallel()
	cfg := defaults()
	cfg.duration, cfg.life, cfg.grace = 8*time.Second, 3*time.Second, 2*time.Second
	cfg.clients, cfg.idle, cfg.maxPending = 30, 60, 800
	cfg.log = t.Logf
	report, err := soak(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", report)
	for _, what := range report.broken {
		t.Error(what)
	}
	if f := report.ledger; f.acknowledged == 0 || f.runs == 0 || report.restarts == 0 || f.inTime["HTTP/1.1"] == 0 || f.inTime["HTTP/2.0"] == 0 {
		t.Errorf("nothing was proven")
	}
	if report.beside == 0 {
		t.Error("no request was answered beside a stream that was reset or never read")
	}
	for _, kind := range []string{"order", "image", "item", "import", "report", "customer"} {
		if report.ackedShop[kind] == 0 || report.stored[kind] == 0 {
			t.Errorf("nothing was proven of orders: %s", kind)
		}
	}
	for _, fault := range []string{"h2 reset at once", "h2 slow reader", "h2 client never reads", "watcher goes", "reset in body", "slow reader", "pipelined orders"} {
		if report.faults[fault] == 0 {
			t.Errorf("nobody tried: %s", fault)
		}
	}
}
