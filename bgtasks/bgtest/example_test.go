package bgtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtest"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// exampleT is the t of the examples, as they have none: it prints what fails the test.
type exampleT struct{ fakeT }

func (t *exampleT) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// endOfTest is what a *testing.T does by itself.
func (t *exampleT) endOfTest() { t.finish() }

// newShop is the router under test, as main makes it.
func newShop(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		id := chi.URLParam(r, "id")
		_ = bgtasks.Add(r.Context(), "update stock", bgtasks.Bind(updateStock, id))
		_ = bgtasks.Add(r.Context(), "send mail", bgtasks.Bind(sendMail, id),
			bgtasks.Timeout(10*time.Millisecond),
			bgtasks.Retry(3, bgtasks.Backoff(time.Millisecond, time.Millisecond)))
		_ = bgtasks.Add(r.Context(), "write audit", bgtasks.Bind(writeAudit, id), bgtasks.Needs("send mail"))
		fmt.Fprintf(w, "order %s accepted", id)
	})
	return r
}

func updateStock(context.Context, string) error { return nil }
func sendMail(context.Context, string) error    { return nil }
func writeAudit(context.Context, string) error  { return nil }

func order(id string) *http.Request { return httptest.NewRequest("POST", "/orders/"+id, nil) }

func Example() {
	t := &exampleT{} // in a test, its *testing.T
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	res := k.Do(newShop(k.Runner), order("7"))

	fmt.Println(res.Code, res.Body)
	fmt.Println(k.Ran())
	// Output:
	// 200 order 7 accepted
	// [update stock send mail write audit]
}

func ExampleKit_WantRan() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	k.Fail("send mail", errors.New("mail server down"))
	k.Do(newShop(k.Runner), order("7"))

	k.WantRan("update stock", "send mail")                // as it is: says nothing
	k.WantRan("update stock", "send mail", "write audit") // fails the test
	// Output:
	// bgtest: tasks that ran: ["update stock" "send mail"], want ["update stock" "send mail" "write audit"]
	// 	task "update stock" of POST /orders/{id} succeeded
	// 	task "send mail" of POST /orders/{id} failed in attempt 3: mail server down
	// 	task "write audit" of POST /orders/{id} was skipped: bgtasks: task skipped: it needs "send mail", which has not succeeded
}

func ExampleKit_Want() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{StopOnError: true})
	k.Fail("update stock", errors.New("out of stock"))
	k.Do(newShop(k.Runner), order("7"))

	k.WantRan("update stock")
	k.Want(bgtasks.Skipped, "send mail", "write audit")
	k.Want(bgtasks.Forgotten) // no task was taken back
	fmt.Println(k.Names(bgtasks.Skipped))
	// Output:
	// [send mail write audit]
}

func ExampleKit_Task() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	k.Fail("send mail", errors.New("mail server busy"), nil) // the second attempt is the task's own
	k.Do(newShop(k.Runner), order("7"))

	mail := k.Task("send mail")
	fmt.Println(mail.Kind, mail.Err, mail.Info.Attempt, mail.Elapsed > 0, mail.Outcome.Status)
	// Output:
	// finished <nil> 2 true 200
}

func ExampleKit_Tasks() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	k.Panic("send mail", "no mail server")
	k.Do(newShop(k.Runner), order("7"))

	for _, e := range k.Tasks() {
		fmt.Println(e.Info.Position, e.Info.Name, e.Kind, e.Err)
	}
	// Output:
	// 1 update stock finished <nil>
	// 2 send mail finished bgtasks: task panicked: no mail server
	// 3 write audit skipped bgtasks: task skipped: it needs "send mail", which has not succeeded
}

func ExampleKit_Hold() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	k.Hold()
	res := k.Do(newShop(k.Runner), order("7"))

	fmt.Println(res.Body)
	fmt.Println("pending:", k.Names(bgtasks.Accepted), "ran:", k.Ran())
	fmt.Println("next:", k.Next())
	fmt.Println("pending:", k.Names(bgtasks.Accepted), "ran:", k.Ran())
	k.Release()
	fmt.Println("pending:", k.Names(bgtasks.Accepted), "ran:", k.Ran())
	// Output:
	// order 7 accepted
	// pending: [update stock send mail write audit] ran: []
	// next: update stock
	// pending: [send mail write audit] ran: [update stock]
	// pending: [] ran: [update stock send mail write audit]
}

func ExampleKit_Fail() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	k.Fail("send mail", errors.New("mail server down"))
	res := k.Do(newShop(k.Runner), order("7"))

	fmt.Println(res.Body) // the client has its answer
	fmt.Println(k.Task("send mail").Err, "after", k.Task("send mail").Info.Attempt, "attempts")
	fmt.Println(k.Task("write audit").Kind)
	// Output:
	// order 7 accepted
	// mail server down after 3 attempts
	// skipped
}

func ExampleKit_Panic() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	k.Panic("update stock", "no such item")
	k.Do(newShop(k.Runner), order("7"))

	var panicked *bgtasks.PanicError
	fmt.Println(errors.As(k.Task("update stock").Err, &panicked), panicked.Value)
	fmt.Println(k.Ran())
	// Output:
	// true no such item
	// [update stock send mail write audit]
}

func ExampleKit_Hang() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	k.Hang("send mail")
	k.Do(newShop(k.Runner), order("7"))

	mail := k.Task("send mail")
	fmt.Println(errors.Is(mail.Err, bgtasks.ErrTimeout), mail.Info.Attempt)
	// Output:
	// true 3
}

func ExampleKit_ExpectFailure() {
	t := &exampleT{}
	defer t.endOfTest() // fails the test for "two", which it has not expected

	k := bgtest.New(t, bgtasks.Config{})
	app := chimw.BackgroundTasks(k.Runner)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fail := func(context.Context) error { return errors.New("disk full") }
		_ = bgtasks.Add(r.Context(), "one", fail)
		_ = bgtasks.Add(r.Context(), "two", fail)
	}))
	k.Do(app, httptest.NewRequest("GET", "/", nil))
	k.ExpectFailure("one")
	// Output:
	// bgtest: task "two" of GET failed: disk full
	// 	(where that is what the test wants: ExpectFailure)
}

func ExampleKit_NewServer() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	srv := k.NewServer(newShop(k.Runner), chimw.Attach)
	res, err := srv.Client().Post(srv.URL+"/orders/7", "", nil)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)

	fmt.Printf("%s: %s\n", res.Proto, body)
	fmt.Println(k.Ran())
	// Output:
	// HTTP/1.1: order 7 accepted
	// [update stock send mail write audit]
}

func ExampleKit_NewTLSServer() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	srv := k.NewTLSServer(newShop(k.Runner), chimw.Attach)
	res, err := srv.Client().Post(srv.URL+"/orders/7", "", nil)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	defer res.Body.Close()

	fmt.Println(res.Proto, k.Task("send mail").Outcome.Sent)
	// Output:
	// HTTP/2.0 true
}

func ExampleKit_Wait() {
	t := &exampleT{}
	defer t.endOfTest()

	k := bgtest.New(t, bgtasks.Config{})
	shop := newShop(k.Runner)
	for _, id := range []string{"7", "8"} {
		shop.ServeHTTP(httptest.NewRecorder(), order(id)) // does not wait
	}
	k.Wait()
	fmt.Println(len(k.Ran()), "tasks of two requests")
	// Output:
	// 6 tasks of two requests
}
