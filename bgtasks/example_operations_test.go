package bgtasks_test

import (
	"context"
	"fmt"
	"runtime/pprof"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A snapshot tells what has been accepted and has not ended.
func ExampleRunner_Snapshot() {
	runner := bgtasks.New(silent)
	ctx, list := runner.Open(context.Background(), bgtasks.Info{Route: "/orders/{id}"})
	started, finish := make(chan struct{}), make(chan struct{})
	check(bgtasks.Add(ctx, "send mail", func(context.Context) error {
		close(started)
		<-finish
		return nil
	}))
	check(bgtasks.Add(ctx, "write audit", say("audited")))

	fmt.Println("in the handler:", runner.Snapshot(10).Handling.Count)
	list.Start(ok)
	<-started
	s := runner.Snapshot(10)
	fmt.Println("running:", s.Running.Oldest[0].Name, "of", s.Running.Oldest[0].Route)
	fmt.Println("behind it:", s.Behind.Oldest[0].Name)

	close(finish)
	check(runner.Wait(ctx))
	fmt.Println("left:", runner.Snapshot(10).Lists)
	// Output:
	// in the handler: 2
	// running: send mail of /orders/{id}
	// behind it: write audit
	// audited
	// left: 0
}

// The counts agree: what was accepted has succeeded, failed, been skipped or taken back.
func ExampleRunner_Stats() {
	runner := bgtasks.New(silent)
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})
	check(bgtasks.Add(ctx, "charge", func(context.Context) error { return fmt.Errorf("declined") }))
	check(bgtasks.Add(ctx, "send receipt", say("sent"), bgtasks.Needs("charge")))
	check(bgtasks.Add(ctx, "write audit", say("audited")))
	list.Start(ok)
	check(runner.Wait(ctx))

	s := runner.Stats()
	fmt.Println(s.Accepted, "accepted:", s.Succeeded, "succeeded,", s.Failed, "failed,", s.Skipped, "skipped")
	// Output:
	// audited
	// 3 accepted: 1 succeeded, 1 failed, 1 skipped
}

// CPU and goroutine profiles then tell which task it was.
func ExampleProfileLabels() {
	runner := bgtasks.New(silent)
	runner.Use(bgtasks.ProfileLabels)
	ctx, list := runner.Open(context.Background(), bgtasks.Info{Route: "/images"})
	check(bgtasks.Add(ctx, "make thumbnail", func(ctx context.Context) error {
		task, _ := pprof.Label(ctx, "task")
		route, _ := pprof.Label(ctx, "route")
		fmt.Println(task, "of", route)
		return nil
	}))
	list.Start(ok)
	check(runner.Wait(ctx))
	// Output: make thumbnail of /images
}

// What runs beside the tasks stops with them, within the same time.
func ExampleRunner_OnShutdown() {
	runner := bgtasks.New(silent)
	runner.OnShutdown(func(context.Context) error {
		fmt.Println("the queue's workers stop")
		return nil
	})
	check(runner.Shutdown(context.Background()))
	// Output: the queue's workers stop
}

// Work that was accepted elsewhere, by a durable queue say, is run as a task is.
func ExampleRunner_Run() {
	runner := bgtasks.New(silent)
	about := bgtasks.Info{Name: "send mail", RequestID: "req-7"}
	err := runner.Run(context.Background(), about, func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		fmt.Println(info.Name, "for", info.RequestID)
		panic("no connection")
	})
	fmt.Println(err)
	// Output:
	// send mail for req-7
	// bgtasks: task panicked: no connection
}

// An integration that keeps its tasks elsewhere is told when the response has been sent.
func ExampleAfterResponse() {
	runner := bgtasks.New(silent)
	ctx, list := runner.Open(context.Background(), bgtasks.Info{Route: "/orders"})
	released := make(chan bgtasks.Outcome)
	about, waiting := bgtasks.AfterResponse(ctx, func(o bgtasks.Outcome) { released <- o })
	fmt.Println(about.Route, "waits:", waiting)

	list.Start(ok)
	fmt.Println("sent, with status", (<-released).Status)
	// Output:
	// /orders waits: true
	// sent, with status 200
}
