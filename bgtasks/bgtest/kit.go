package bgtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/testhook"
)

// TestingT is the part of a *testing.T that a Kit uses. A *testing.B, a *testing.F and what
// other test frameworks have in its place will do as well.
type TestingT interface {
	Helper()
	Cleanup(func())
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	FailNow()
	Failed() bool
}

// A Kit runs the tasks of one test. Make it with New. Its methods may be called from any
// goroutine, those that can end the test (Do, Wait, Next, Release, Task) only from the
// test's, as t.FailNow.
type Kit struct {
	// Runner is for the middleware of the router under test. Give it to no other test.
	// Use and Observe work as ever: before the first request.
	Runner *bgtasks.Runner

	// Deadline is how long Do, Wait, Next, Release, a server's client and the end of the
	// test wait for tasks. Set it while no request is under way. 0: 10 seconds; in a
	// testing/synctest bubble a day, which passes at once when nothing else can happen.
	Deadline time.Duration

	t   TestingT
	log *testLog

	mu       sync.Mutex
	places   int           // Config.MaxRunning, in effect
	changed  chan struct{} // closed, and made anew, when anything below changes
	record   record
	lists    map[uint64]*list  // those with tasks that have not ended, by their ID
	handling map[uint64]string // requests that our servers are at, by when they came
	clock    uint64            // counts lists and requests
	late     bool              // a deadline has passed
	hold     hold
	faults   map[string]fault
	expected []string // tasks that are to fail
}

// New returns a kit whose runner has that configuration. Where cfg has no Logger, the
// runner logs to the log of the test, at all levels.
//
// When the test ends, after the cleanups that were registered later, the kit waits for the
// tasks that still run, and fails the test if they do not end within Deadline. Tasks in a
// Hang are cancelled, tasks that are held never start. Then it fails the test for each task
// that failed unexpectedly.
func New(t TestingT, cfg bgtasks.Config) *Kit {
	t.Helper()
	k := &Kit{
		t:        t,
		log:      &testLog{t: t},
		changed:  make(chan struct{}),
		record:   newRecord(),
		lists:    make(map[uint64]*list),
		handling: make(map[uint64]string),
		faults:   make(map[string]fault),
	}
	if cfg.Logger == nil {
		cfg.Logger = k.log.logger()
	}
	k.Runner = bgtasks.New(cfg)
	k.places = k.Runner.Snapshot(0).Config.MaxRunning
	k.Runner.Observe(k.observe)
	testhook.Install(k.Runner, k.aboutToStart)
	t.Cleanup(k.end)
	return k
}

// Do serves one request with h, and returns the response when all tasks that have been
// added so far have ended. Tasks that do not end within Deadline fail the test, by name,
// and end it. Under Hold it returns when all that can run have.
//
// There is no server: see NewServer for one. A panic of h goes through; its tasks run all
// the same, and Wait waits for them.
func (k *Kit) Do(h http.Handler, req *http.Request) *httptest.ResponseRecorder {
	k.t.Helper()
	since := k.now()
	res := httptest.NewRecorder()
	h.ServeHTTP(res, req)
	k.must(k.settle(since))
	return res
}

// Wait is for requests that were not made by Do or a server's client: it returns when the
// servers of the kit have handled the requests that they have got, and all tasks that have
// been added so far have ended, or are held. It fails as Do does.
func (k *Kit) Wait() {
	k.t.Helper()
	k.must(k.settle(0))
}

// must ends the test if err is not nil.
func (k *Kit) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Errorf("%v", err)
		k.t.FailNow()
	}
}

// observe is told of everything, under the lock of the task's list.
func (k *Kit) observe(e bgtasks.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.record.note(e)
	k.count(e)
	k.signal()
}

// aboutToStart holds a task, and returns what is to run in its place.
func (k *Kit) aboutToStart(ctx context.Context, task func(context.Context) error) func(context.Context) error {
	info, _ := bgtasks.InfoFrom(ctx)
	k.reaches(info)
	k.pass(ctx, info)
	return k.withFault(info, task)
}
