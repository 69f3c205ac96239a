package bgtasks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// In the examples, Open and Start are what the middleware does for a handler:
//
//	ctx, list := runner.Open(...)  // a request comes in
//	bgtasks.Add(ctx, ...)          // its handler, with r.Context()
//	list.Start(...)                // its response has been sent

// ok is the outcome of a request that was answered.
var ok = bgtasks.Outcome{Status: 200, Sent: true}

// silent keeps failures, which are on purpose here, out of the log.
var silent = bgtasks.Config{Logger: slog.New(slog.DiscardHandler)}

// check stands in for a handler's answer to an error: 503 Service Unavailable.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// say returns a task that prints a line.
func say(line string) bgtasks.Func {
	return func(context.Context) error {
		fmt.Println(line)
		return nil
	}
}

func Example() {
	runner := bgtasks.New(bgtasks.Config{})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{Route: "/orders"})

	handler := func(ctx context.Context) {
		if err := bgtasks.Add(ctx, "send mail", say("mail sent")); err != nil {
			fmt.Println("503", err)
			return
		}
		fmt.Println("201 order accepted")
	}
	handler(ctx)

	list.Start(bgtasks.Outcome{Status: 201, Sent: true})
	if err := runner.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 201 order accepted
	// mail sent
}

func ExampleAdd() {
	runner := bgtasks.New(bgtasks.Config{})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	if err := bgtasks.Add(ctx, "send mail", say("mail")); err != nil {
		fmt.Println("503", err) // the handler can still say so
	}
	if err := bgtasks.Add(ctx, "write audit row", say("audit")); err != nil {
		fmt.Println("503", err)
	}
	fmt.Println("response")

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// response
	// mail
	// audit
}

// A task that is added by a task runs after all that are in the list already.
func ExampleAdd_nested() {
	runner := bgtasks.New(bgtasks.Config{})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "resize", func(ctx context.Context) error {
		fmt.Println("resize")
		return bgtasks.Add(ctx, "publish", say("publish"))
	}))
	check(bgtasks.Add(ctx, "audit", say("audit")))

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// resize
	// audit
	// publish
}

// Bind keeps the argument as it is at the time of the call.
func ExampleBind() {
	sendMail := func(_ context.Context, to string) error {
		fmt.Println("mail to", to)
		return nil
	}
	runner := bgtasks.New(bgtasks.Config{})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	for _, to := range []string{"ann@example.com", "bob@example.com"} {
		check(bgtasks.Add(ctx, "send mail", bgtasks.Bind(sendMail, to)))
	}

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// mail to ann@example.com
	// mail to bob@example.com
}

func ExampleForget() {
	runner := bgtasks.New(bgtasks.Config{})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "remind", say("remind")))
	check(bgtasks.Add(ctx, "audit", say("audit")))
	fmt.Println("taken back:", bgtasks.Forget(ctx, "remind"))

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// taken back: 1
	// audit
}

func ExampleTimeout() {
	runner := bgtasks.New(silent)
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "call webhook", func(ctx context.Context) error {
		<-ctx.Done() // a call that is given ctx returns by then
		fmt.Println(errors.Is(context.Cause(ctx), bgtasks.ErrTimeout))
		return ctx.Err()
	}, bgtasks.Timeout(10*time.Millisecond)))

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// true
}

// The pauses are of about 1, 2 and 4 milliseconds here; in a program they'd be longer.
func ExampleRetry() {
	runner := bgtasks.New(silent)
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "call webhook", func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		fmt.Println("attempt", info.Attempt)
		if info.Attempt < 3 {
			return errors.New("502 Bad Gateway")
		}
		return nil
	}, bgtasks.Retry(4, bgtasks.Backoff(time.Millisecond, time.Second))))

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// attempt 1
	// attempt 2
	// attempt 3
}

// A wait function can look at the error, to give up on one that no attempt will mend.
func ExampleRetry_giveUp() {
	errGone := errors.New("410 Gone")
	backoff := bgtasks.Backoff(time.Millisecond, time.Second)
	runner := bgtasks.New(silent)
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "call webhook", func(context.Context) error {
		fmt.Println("called")
		return errGone
	}, bgtasks.Retry(4, func(attempt int, err error) (time.Duration, bool) {
		if errors.Is(err, errGone) {
			return 0, false
		}
		return backoff(attempt, err)
	})))

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// called
}

func ExampleBackoff() {
	wait := bgtasks.Backoff(time.Second, 5*time.Second)
	pause, again := wait(3, errors.New("failed")) // the third pause is twice the second
	fmt.Println(again, pause >= 2*time.Second, pause <= 4*time.Second)
	pause, again = wait(30, errors.New("failed")) // and the longest is 5 seconds
	fmt.Println(again, pause >= 2500*time.Millisecond, pause <= 5*time.Second)
	// Output:
	// true true true
	// true true true
}

func ExampleWhen() {
	runner := bgtasks.New(bgtasks.Config{})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "audit", say("audit")))
	check(bgtasks.Add(ctx, "confirm", say("confirm"), bgtasks.When(bgtasks.Outcome.OK)))
	check(bgtasks.Add(ctx, "apologize", say("apologize"), bgtasks.When(bgtasks.Outcome.Failed)))

	list.Start(bgtasks.Outcome{Status: 500, Sent: true})
	check(runner.Wait(ctx))
	// Output:
	// audit
	// apologize
}

func ExampleNeeds() {
	runner := bgtasks.New(silent)
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "render invoice", func(context.Context) error {
		fmt.Println("render invoice: out of paper")
		return errors.New("out of paper")
	}))
	check(bgtasks.Add(ctx, "mail invoice", say("mail invoice"), bgtasks.Needs("render invoice")))
	check(bgtasks.Add(ctx, "audit", say("audit")))

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// render invoice: out of paper
	// audit
}

// Middleware around one task is given to Add.
func ExampleMiddleware() {
	once := bgtasks.Middleware(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			fmt.Println("lock")
			defer fmt.Println("unlock")
			return next(ctx)
		}
	})
	runner := bgtasks.New(bgtasks.Config{})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "rebuild index", say("rebuild"), once))

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// lock
	// rebuild
	// unlock
}

// Middleware around every task is given to Use. A panic reaches it as an error.
func ExampleRunner_Use() {
	runner := bgtasks.New(silent)
	runner.Use(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			info, _ := bgtasks.InfoFrom(ctx)
			err := next(ctx)
			fmt.Printf("%s: %v\n", info.Name, err)
			return err
		}
	})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "audit", func(context.Context) error { return nil }))
	check(bgtasks.Add(ctx, "send mail", func(context.Context) error { return errors.New("no such host") }))

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// audit: <nil>
	// send mail: no such host
}

func ExampleRunner_Observe() {
	runner := bgtasks.New(silent)
	runner.Observe(func(e bgtasks.Event) {
		fmt.Println(e.Kind, e.Info.Name)
	})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "audit", func(context.Context) error { return nil }))
	check(bgtasks.Add(ctx, "remind", func(context.Context) error { return nil }))
	bgtasks.Forget(ctx, "remind")

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// accepted audit
	// accepted remind
	// forgotten remind
	// started audit
	// finished audit
}

// Shutdown waits for the tasks; those that do not make it are named.
func ExampleRunner_Shutdown() {
	runner := bgtasks.New(silent)
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})
	started := make(chan struct{})
	check(bgtasks.Add(ctx, "import", func(ctx context.Context) error {
		close(started)
		<-ctx.Done() // more work than there is time for
		fmt.Println("import stops:", context.Cause(ctx))
		return ctx.Err()
	}))
	check(bgtasks.Add(ctx, "report", say("report")))
	list.Start(ok)
	<-started

	deadline, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := runner.Shutdown(deadline)
	check(runner.Wait(context.Background())) // for what was cancelled to return

	var left *bgtasks.ShutdownError
	if errors.As(err, &left) {
		for _, info := range left.Unfinished {
			fmt.Println("unfinished:", info.Name)
		}
	}
	// Output:
	// import stops: bgtasks: the runner is shutting down
	// unfinished: import
	// unfinished: report
}

func ExampleInfoFrom() {
	runner := bgtasks.New(bgtasks.Config{})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{
		Route: "/orders/{id}", Method: "POST", RequestID: "host/1",
	})

	check(bgtasks.Add(ctx, "send mail", func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		fmt.Println(info.Name, info.Position, info.Method, info.Route, info.RequestID)
		return nil
	}))

	list.Start(ok)
	check(runner.Wait(ctx))
	// Output:
	// send mail 1 POST /orders/{id} host/1
}

func ExampleOutcomeFrom() {
	runner := bgtasks.New(bgtasks.Config{})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "audit", func(ctx context.Context) error {
		outcome, _ := bgtasks.OutcomeFrom(ctx)
		fmt.Println("answered", outcome.Status, "with", outcome.Bytes, "bytes")
		return nil
	}))

	list.Start(bgtasks.Outcome{Status: 404, Bytes: 19, Sent: true})
	check(runner.Wait(ctx))
	// Output:
	// answered 404 with 19 bytes
}

// With StopOnError a failed task ends its list, as in FastAPI.
func ExampleConfig_stopOnError() {
	runner := bgtasks.New(bgtasks.Config{StopOnError: true, Logger: silent.Logger})
	ctx, list := runner.Open(context.Background(), bgtasks.Info{})

	check(bgtasks.Add(ctx, "reserve stock", say("reserve stock")))
	check(bgtasks.Add(ctx, "charge card", func(context.Context) error {
		fmt.Println("charge card: declined")
		return errors.New("declined")
	}))
	check(bgtasks.Add(ctx, "ship", say("ship")))

	list.Start(ok)
	check(runner.Wait(ctx))
	fmt.Println("skipped:", runner.Stats().Skipped)
	// Output:
	// reserve stock
	// charge card: declined
	// skipped: 1
}
