package chimw_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/inspector"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask asks a handler for its page, or whatever accept says.
func ask(h http.Handler, method, path, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func askWith(ctx context.Context, h http.Handler, path, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// look is what an inspector tells a client that asks for JSON.
func look(t testing.TB, h http.Handler) (r inspector.Report) {
	t.Helper()
	w := ask(h, http.MethodGet, "/", "application/json")
	require.Equal(t, http.StatusOK, w.Code)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &r))
	return r
}

// inspected is a site with an inspector at /debug/tasks, and the inspector by itself.
func inspected(cfg bgtasks.Config) (*bhSite, http.Handler) {
	site := bhNewSite(cfg)
	page := chimw.Inspector(site.run)
	site.Mount("/debug/tasks", page)
	return site, page
}

// An eventFeed is an open stream of events.
type eventFeed struct {
	body   *bufio.Reader
	cancel context.CancelFunc
}

// openFeed opens a stream, which ends with the test.
func openFeed(t testing.TB, client *http.Client, url string) *eventFeed {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	r.Header.Set("Accept", "text/event-stream")
	res, err := client.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "text/event-stream; charset=utf-8", res.Header.Get("Content-Type"))
	return &eventFeed{bufio.NewReader(res.Body), cancel}
}

// data is the next event's; ok is false at the stream's end.
func (f *eventFeed) data() (data string, ok bool) {
	for {
		line, err := f.body.ReadString('\n')
		if err != nil {
			return "", false
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return data, true
		}
	}
}

// next is the next event.
func (f *eventFeed) next(t testing.TB) (r inspector.Report) {
	t.Helper()
	data, ok := f.data()
	require.True(t, ok, "the stream has ended")
	require.NoError(t, json.Unmarshal([]byte(data), &r))
	return r
}

// until reads events up to one that is as wanted.
func (f *eventFeed) until(t testing.TB, what string, wanted func(inspector.Report) bool) inspector.Report {
	t.Helper()
	for deadline := time.Now().Add(bhPatience); time.Now().Before(deadline); {
		if r := f.next(t); wanted(r) {
			return r
		}
	}
	require.FailNow(t, "waited in vain for "+what)
	panic("unreachable")
}

// ended waits for the stream's end.
func (f *eventFeed) ended(t testing.TB) {
	t.Helper()
	end := make(chan struct{})
	go func() {
		defer close(end)
		for ok := true; ok; {
			_, ok = f.data()
		}
	}()
	bhReceive(t, end, "the end of the stream")
}

// assertNoStreams waits until no goroutine is in a stream that this test has opened: those
// of other tests do not run at the same time.
func assertNoStreams(t testing.TB) {
	t.Helper()
	assert.Eventually(t, func() bool {
		var stacks strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2)
		return !strings.Contains(stacks.String(), "inspector.(*Inspector).stream")
	}, bhPatience, 10*time.Millisecond)
}

// openList begins a list that is not a request's, of a request that is told to be this one.
func openList(run *bgtasks.Runner, number int) (context.Context, *bgtasks.List) {
	return run.Open(context.Background(), bgtasks.Info{
		Route: "/orders/{id}", Method: "POST", RequestID: fmt.Sprintf("req-%d", number),
	})
}
