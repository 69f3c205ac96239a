package chimw_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/inspector"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInspectorAnswersWhatIsAccepted(t *testing.T) {
	const (
		page   = "text/html; charset=utf-8"
		asJSON = "application/json"
		stream = "text/event-stream; charset=utf-8"
	)
	run, _ := bhRunner(bgtasks.Config{})
	h := chimw.Inspector(run)
	for accept, want := range map[string]string{
		"":                 asJSON,
		"*/*":              asJSON,
		"application/json": asJSON,
		"application/*":    asJSON,
		"image/png":        asJSON,
		"nonsense;;":       asJSON,
		"text/html":        page,
		"text/*":           page,
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8": page,
		"application/json;q=0.5, text/html":                                          page,
		"application/json, text/html;q=0.9":                                          asJSON,
		"text/html;q=0, application/json":                                            asJSON,
		"text/event-stream;q=0.1, text/html":                                         page,
		"text/event-stream":                                                          stream,
	} {
		w := ask(h, http.MethodHead, "/", accept) // a stream's body would not end
		assert.Equal(t, http.StatusOK, w.Code, accept)
		assert.Equal(t, want, w.Header().Get("Content-Type"), accept)
		assert.Equal(t, "Accept", w.Header().Get("Vary"), accept)
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"), accept)
	}
	forced := render.SetContentType(render.ContentTypeHTML)(h)
	assert.Equal(t, page, ask(forced, http.MethodGet, "/", "application/json").Header().Get("Content-Type"))
}

func TestInspectorOnlyShows(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{})
	h := chimw.Inspector(run)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"} {
		w := ask(h, method, "/", "text/html")
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code, method)
		assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"), method)
	}
}

func TestInspectorAnswersHEADWithoutABody(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, _ := inspected(bgtasks.Config{})
		s := servertest.Start(t, p, site)
		for _, accept := range []string{"text/html", "application/json", "text/event-stream"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, s.URL+"/debug/tasks", nil)
			require.NoError(t, err)
			r.Header.Set("Accept", accept)
			res, err := s.Client.Do(r)
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, res.StatusCode)
			assert.Contains(t, res.Header.Get("Content-Type"), accept)
			assert.Empty(t, bhBody(t, res))
		}
	})
}

func TestInspectorWorksWhereverItIsMounted(t *testing.T) {
	ours := func(r chi.Router, run *bgtasks.Runner) chi.Router {
		r.Use(chimw.BackgroundTasks(run))
		return r
	}
	for name, mount := range map[string]func(*bgtasks.Runner, http.Handler) http.Handler{
		"Mount": func(_ *bgtasks.Runner, h http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Mount("/debug/tasks", h)
			return r
		},
		"StripSlashes and BackgroundTasks outside": func(run *bgtasks.Runner, h http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Use(middleware.StripSlashes)
			ours(r, run).Mount("/debug/tasks", h)
			return r
		},
		"a subrouter with a parameter": func(run *bgtasks.Runner, h http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Route("/{area}", func(r chi.Router) { ours(r, run).Mount("/tasks", h) })
			return r
		},
		"StripPrefix": func(_ *bgtasks.Runner, h http.Handler) http.Handler {
			return http.StripPrefix("/debug/tasks", h)
		},
		"a router inside StripPrefix": func(run *bgtasks.Runner, h http.Handler) http.Handler {
			r := chi.NewRouter()
			ours(r, run).Mount("/", h)
			return http.StripPrefix("/debug/tasks", r)
		},
		"ServeMux": func(run *bgtasks.Runner, h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/debug/tasks", chimw.BackgroundTasks(run)(h))
			mux.Handle("/debug/tasks/", h)
			return mux
		},
	} {
		t.Run(name, func(t *testing.T) {
			run, _ := bhRunner(bgtasks.Config{})
			site := mount(run, chimw.Inspector(run))
			for _, path := range []string{"/debug/tasks", "/debug/tasks/", "/debug/tasks?x=1"} {
				w := ask(site, http.MethodGet, path, "text/html")
				assert.Equal(t, http.StatusOK, w.Code, path)
				assert.Contains(t, w.Body.String(), "<h1>Background tasks</h1>", path)
			}
			assert.Zero(t, run.Stats().Accepted)
		})
	}
}

// As the documentation says.
func TestInspectorBehindBasicAuth(t *testing.T) {
	site := bhNewSite(bgtasks.Config{})
	site.Group(func(r chi.Router) {
		r.Use(middleware.BasicAuth("tasks", map[string]string{"admin": "secret"}))
		r.Mount("/debug/tasks", chimw.Inspector(site.run))
	})
	site.Get("/", func(http.ResponseWriter, *http.Request) {})
	assert.Equal(t, http.StatusUnauthorized, ask(site, http.MethodGet, "/debug/tasks", "text/html").Code)
	assert.Equal(t, http.StatusOK, ask(site, http.MethodGet, "/", "text/html").Code)
	r := httptest.NewRequest(http.MethodGet, "/debug/tasks", nil)
	r.SetBasicAuth("admin", "secret")
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	assert.Equal(t, http.StatusOK, w.Code)
}

func TestInspectorMustBeMadeBeforeTheFirstRequest(t *testing.T) {
	assert.PanicsWithValue(t, "chimw: Inspector needs a runner: make one with bgtasks.New", func() { chimw.Inspector(nil) })
	run, _ := bhRunner(bgtasks.Config{})
	openList(run, 1)
	assert.Panics(t, func() { chimw.Inspector(run) })
}

func TestInspectorShowsWhatRunsAndWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, _ := bhRunner(bgtasks.Config{MaxRunning: 1, MaxPending: 10, TaskTimeout: -1})
		h := chimw.Inspector(run)
		release := make(chan struct{})
		ctx, runs := openList(run, 1)
		bhAdd(t, ctx, "runs", func(context.Context) error { <-release; return nil })
		bhAdd(t, ctx, "its turn", nothing)
		<-time.After(2 * time.Second)
		runs.Start(bgtasks.Outcome{})
		ctx, queued := openList(run, 2)
		bhAdd(t, ctx, "a place", nothing)
		queued.Start(bgtasks.Outcome{})
		ctx, sending := openList(run, 3)
		bhAdd(t, ctx, "the response", nothing)
		sending.Await(bgtasks.Outcome{})
		ctx, handling := openList(run, 4)
		bhAdd(t, ctx, "the handler", nothing)
		<-time.After(3 * time.Second)

		r := look(t, h)
		assert.Equal(t, 1, r.Running.Count)
		running := r.Running.Tasks[0]
		assert.Equal(t, inspector.Task{
			Name: "runs", Route: "/orders/{id}", Method: "POST", RequestID: "req-1",
			List: running.List, Position: 1, Attempt: 1, Added: running.Added, Started: running.Started, Waited: 2, Ran: 3,
		}, running)
		for name, tasks := range map[string]inspector.Tasks{
			"its turn": r.Waiting.Turn, "a place": r.Waiting.Place, "the response": r.Waiting.Response, "the handler": r.Waiting.Handler,
		} {
			assert.Equal(t, 1, tasks.Count)
			assert.Equal(t, name, tasks.Tasks[0].Name)
			assert.Nil(t, tasks.Tasks[0].Started)
		}
		assert.InDelta(t, 5, r.Waiting.Turn.Tasks[0].Waited, 0)
		assert.Equal(t, inspector.Shutdown{Requests: 4, Tasks: 5}, r.Shutdown)
		assert.Equal(t, inspector.Counters{Accepted: 5}, r.Counters)
		assert.EqualValues(t, 5, r.Limits.MaxPending.Used)
		assert.EqualValues(t, 10, *r.Limits.MaxPending.Limit)
		assert.EqualValues(t, 1, r.Limits.MaxRunning.Used)
		assert.EqualValues(t, 1, *r.Limits.MaxRunning.Limit)
		assert.Nil(t, r.Limits.TaskTimeout)
		assert.InDelta(t, 60, *r.Limits.SendTimeout, 0)

		html := ask(h, http.MethodGet, "/", "text/html").Body.String()
		for _, text := range []string{"waits for a place", "waits for its turn", "waits for the response", "waits for the handler",
			"<bdi>req-1</bdi>", "3.0 s", "100 % of MaxRunning", "5 of 10", "5 tasks of 4 requests"} {
			assert.Contains(t, html, text)
		}
		close(release)
		sending.Start(bgtasks.Outcome{})
		handling.Start(bgtasks.Outcome{})
		require.NoError(t, run.Wait(t.Context()))
	})
}

func nothing(context.Context) error { return nil }

func TestInspectorShowsNoMoreThanTheOldest(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{MaxRunning: -1, MaxPending: -1, SendTimeout: -1})
	h := chimw.Inspector(run)
	for i := range 1000 {
		ctx, _ := openList(run, i)
		bhAdd(t, ctx, fmt.Sprintf("task <%d>", i), nothing)
	}
	r := look(t, h)
	assert.Equal(t, 1000, r.Waiting.Handler.Count)
	require.Len(t, r.Waiting.Handler.Tasks, 50)
	assert.Equal(t, "task <49>", r.Waiting.Handler.Tasks[49].Name)
	assert.Nil(t, r.Limits.MaxPending.Limit)
	assert.Nil(t, r.Limits.MaxRunning.Limit)
	assert.Nil(t, r.Limits.SendTimeout)
	html := ask(h, http.MethodGet, "/", "text/html").Body.String()
	assert.Contains(t, html, "task &lt;49&gt;")
	assert.NotContains(t, html, "task &lt;50&gt;")
	assert.Contains(t, html, "and 950 that were added later")
	assert.Contains(t, html, "1,000 · no limit")
}

func TestInspectorShowsTheLastFailures(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{})
	h := chimw.Inspector(run)
	ctx, list := openList(run, 7)
	bhAdd(t, ctx, "good", nothing)
	bhAdd(t, ctx, "mail", func(context.Context) error { return errors.New("greylisted") })
	bhAdd(t, ctx, "webhook", func(context.Context) error { panicsWith(0xABCD, "kaboom"); return nil })
	bhAdd(t, ctx, "audit", nothing, bgtasks.When(bgtasks.Outcome.Failed))
	list.Start(bgtasks.Outcome{})
	bhWait(t, run)

	r := look(t, h)
	require.Len(t, r.Failures, 2, "neither a success nor a skipped task is one")
	panicked, failed := r.Failures[0], r.Failures[1]
	assert.Equal(t, []any{"panicked", 2, "webhook", "req-7", 1}, []any{panicked.Kind, panicked.Number, panicked.Task.Name, panicked.Task.RequestID, panicked.Task.Attempt})
	assert.Equal(t, []any{"failed", 1, "mail", "greylisted", ""}, []any{failed.Kind, failed.Number, failed.Task.Name, failed.Error, failed.Stack})
	assert.Contains(t, panicked.Error, "kaboom")
	assert.Contains(t, panicked.Stack, "chimw_test.panicsWith(...)\n")
	assert.NotContains(t, strings.ToLower(panicked.Stack), "0xabcd", "an argument's value")
	assert.Equal(t, inspector.Counters{Accepted: 4, Succeeded: 1, Failed: 1, Panicked: 1, Skipped: 1}, r.Counters)
	html := ask(h, http.MethodGet, "/", "text/html").Body.String()
	assert.Contains(t, html, "greylisted")
	assert.Contains(t, html, "<summary id=\"stack-2\">Stack</summary>")
}

//go:noinline
func panicsWith(_ int, value string) { panic(value) }

func TestInspectorKeepsFewFailuresAndLittleOfEach(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{})
	h := chimw.Inspector(run)
	huge := strings.Repeat("é", 32<<10)
	for i := range 100 {
		ctx, list := run.Open(context.Background(), bgtasks.Info{Route: huge, Method: huge, RequestID: huge})
		bhAdd(t, ctx, fmt.Sprintf("%d %s", i, huge), func(context.Context) error { return errors.New(huge) })
		bhAdd(t, ctx, "deep", func(context.Context) error { return recurse(200) })
		list.Start(bgtasks.Outcome{})
		bhWait(t, run)
	}
	r := look(t, h)
	require.Len(t, r.Failures, 32)
	for i, f := range r.Failures {
		assert.Equal(t, 200-i, f.Number)
		for most, text := range map[int]string{2 << 10: f.Error, 8 << 10: f.Stack, 200: f.Task.RequestID, 201: f.Task.Route, 202: f.Task.Method, 203: f.Task.Name} {
			assert.LessOrEqual(t, len(text), most+len("…"))
		}
	}
	assert.True(t, strings.HasPrefix(r.Failures[1].Task.Name, "99 "))
	assert.NotContains(t, r.Failures[1].Error, "\uFFFD", "cut between characters")
	w := ask(h, http.MethodGet, "/", "application/json")
	assert.Less(t, w.Body.Len(), 512<<10)
}

func recurse(n int) error {
	if n == 0 {
		panic("deep")
	}
	return errors.Join(recurse(n-1), nil)
}

// An error whose own method panics is what it is, and is shown.
type brokenError struct{ *int }

func (e brokenError) Error() string { return fmt.Sprint(*e.int) }

func TestInspectorBearsWithAnErrorThatPanics(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{})
	h := chimw.Inspector(run)
	ctx, list := openList(run, 1)
	bhAdd(t, ctx, "broken", func(context.Context) error { return brokenError{} })
	list.Start(bgtasks.Outcome{})
	bhWait(t, run)
	require.Len(t, look(t, h).Failures, 1)
}

func TestInspectorCountsBySecondAndForgetsAfterMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, _ := bhRunner(bgtasks.Config{MaxPending: 3})
		h := chimw.Inspector(run)
		serve := func() {
			ctx, list := openList(run, 1)
			bhAdd(t, ctx, "good", nothing)
			bhAdd(t, ctx, "bad", func(context.Context) error { return errors.New("bad") })
			bhAdd(t, ctx, "good", nothing)
			_ = bgtasks.Add(ctx, "too many", nothing)
			list.Start(bgtasks.Outcome{})
			require.NoError(t, run.Wait(t.Context()))
		}
		sum := func(counts []int64) (n int64) {
			for _, c := range counts {
				n += c
			}
			return n
		}
		for range 20 { // seconds
			serve()
			<-time.After(time.Second)
		}
		r := look(t, h)
		assert.Equal(t, []inspector.Rate{
			{Seconds: 10, Accepted: 3, Refused: 1, Succeeded: 2, Failed: 1},
			{Seconds: 60, Accepted: 3, Refused: 1, Succeeded: 2, Failed: 1}, // of the 20 that there have been
			{Seconds: 300, Accepted: 3, Refused: 1, Succeeded: 2, Failed: 1},
		}, r.Rates)
		assert.Equal(t, 5, r.History.StepSeconds)
		assert.Equal(t, append(make([]int64, 55), 15, 15, 15, 15, 0), r.History.Accepted)
		assert.Equal(t, append(make([]int64, 55), 5, 5, 5, 5, 0), r.History.Refused)
		assert.Equal(t, append(make([]int64, 55), 10, 10, 10, 10, 0), r.History.Succeeded)
		assert.Equal(t, append(make([]int64, 55), 5, 5, 5, 5, 0), r.History.Failed)
		html := ask(h, http.MethodGet, "/", "text/html").Body.String()
		assert.Contains(t, html, "In the last 5 minutes 60 tasks ended, 20 of them failed; at most 3 a second.")

		<-time.After(40 * time.Second)
		serve()
		r = look(t, h)
		assert.EqualValues(t, 3, r.History.Accepted[59], "the step that goes on counts at once")
		assert.InDelta(t, 1, r.Rates[1].Accepted, 0)
		assert.Zero(t, r.Rates[0].Accepted)

		<-time.After(245 * time.Second)
		assert.EqualValues(t, 33, sum(look(t, h).History.Accepted), "of 63, those of the last five minutes")
		<-time.After(3420 * time.Second)
		serve() // into a place of the ring that was another second's before
		assert.EqualValues(t, 3, sum(look(t, h).History.Accepted))
		assert.EqualValues(t, 66, look(t, h).Counters.Accepted)
	})
}

func TestInspectorTellsWhetherTheServerIsAttached(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		for _, attached := range []bool{true, false} {
			site, page := inspected(bgtasks.Config{})
			site.Get("/", bhAdding(t, "mail", nothing))
			var opts []servertest.Option
			if !attached {
				opts = append(opts, servertest.Unattached())
			}
			s := servertest.Start(t, p, site, opts...)
			var r inspector.Report
			_, body := bhGet(t, s, "/debug/tasks")
			require.NoError(t, json.Unmarshal([]byte(body), &r))
			assert.Equal(t, inspector.Attached{Attached: attached}, r.Server)
			bhGet(t, s, "/")
			bhWait(t, site.run)
			assert.Equal(t, inspector.Attached{UnattachedTasks: !attached}, look(t, page).Server, "asked by another way")
			html := ask(page, http.MethodGet, "/", "text/html").Body.String()
			assert.Equal(t, !attached, strings.Contains(html, "<strong>Not attached.</strong>"))
		}
	})
}

func TestInspectorShowsWhatAShutdownWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, _ := bhRunner(bgtasks.Config{})
		h := chimw.Inspector(run)
		ctx, list := openList(run, 1)
		bhAdd(t, ctx, "stubborn", func(context.Context) error { <-time.After(time.Hour); return nil })
		bhAdd(t, ctx, "next", nothing)
		list.Start(bgtasks.Outcome{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		down := make(chan error)
		go func() { down <- run.Shutdown(ctx) }()
		synctest.Wait()
		assert.Equal(t, inspector.Shutdown{Begun: true, Requests: 1, Tasks: 2}, look(t, h).Shutdown)
		assert.Contains(t, ask(h, http.MethodGet, "/", "text/html").Body.String(), "It still waits for 2 tasks of 1 request: those below.")

		require.Error(t, <-down)
		r := look(t, h)
		assert.Equal(t, "stubborn", r.GivenUp.Tasks[0].Name)
		assert.Zero(t, r.Running.Count)
		assert.EqualValues(t, 2, r.Counters.Unfinished)
		require.Len(t, r.Failures, 2)
		assert.Equal(t, []string{"unfinished", "unfinished"}, []string{r.Failures[0].Kind, r.Failures[1].Kind})
		assert.Contains(t, ask(h, http.MethodGet, "/", "text/html").Body.String(), "<strong>1 given up.</strong>")
		require.NoError(t, run.Wait(t.Context()))
		assert.Contains(t, ask(h, http.MethodGet, "/", "text/html").Body.String(), "Every accepted task has ended.")
	})
}

// Programs read this.
func TestInspectorKeepsItsJSONSchema(t *testing.T) {
	run, _ := bhRunner(bgtasks.Config{MaxPending: -1})
	h := chimw.Inspector(run)
	bare := keysOf(t, h)
	ctx, list := openList(run, 1)
	release := make(chan struct{})
	bhAdd(t, ctx, "bad", func(context.Context) error { return errors.New("bad") })
	bhAdd(t, ctx, "runs", bhUntil(release))
	list.Start(bgtasks.Outcome{})
	ctx, other := openList(run, 2)
	bhAdd(t, ctx, "waits", nothing)
	require.Eventually(t, func() bool { return look(t, h).Running.Count == 1 && len(look(t, h).Failures) == 1 }, bhPatience, time.Millisecond)
	full := keysOf(t, h)
	close(release)
	other.Start(bgtasks.Outcome{})
	bhWait(t, run)

	task := strings.Fields("added attempt list method position request_id route running_seconds started task waited_seconds")
	want := strings.Fields(`counters.accepted counters.failed counters.forgotten counters.panicked counters.refused counters.skipped
		counters.succeeded counters.unfinished failures given_up.count given_up.oldest
		history.accepted history.failed history.refused history.step_seconds history.succeeded
		limits.max_pending.limit limits.max_pending.used limits.max_running.limit limits.max_running.used
		limits.send_timeout_seconds limits.stop_on_error limits.task_timeout_seconds now
		rates.accepted_per_second rates.failed_per_second rates.refused_per_second rates.seconds rates.succeeded_per_second
		running.count running.oldest server.attached server.unattached_tasks shutdown.begun shutdown.requests shutdown.tasks since
		waiting.handler.count waiting.handler.oldest waiting.place.count waiting.place.oldest
		waiting.response.count waiting.response.oldest waiting.turn.count waiting.turn.oldest`)
	assert.Equal(t, want, bare)
	for _, key := range task {
		want = append(want, "running.oldest."+key, "waiting.handler.oldest."+key, "failures.task."+key)
	}
	want = append(want, strings.Fields("failures.at failures.error failures.kind failures.number failures.seconds failures.stack")...)
	want = slices.DeleteFunc(want, func(key string) bool {
		return key == "failures" || key == "running.oldest" || key == "waiting.handler.oldest"
	})
	slices.Sort(want)
	assert.Equal(t, want, full)
}

// keysOf are the paths of what is no object in a report.
func keysOf(t *testing.T, h http.Handler) []string {
	var doc any
	require.NoError(t, json.Unmarshal(ask(h, http.MethodGet, "/", "application/json").Body.Bytes(), &doc))
	keys := map[string]bool{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				walk(strings.TrimPrefix(path+"."+key, "."), value)
			}
		case []any:
			if len(v) == 0 {
				keys[path] = true
			}
			for _, value := range v {
				walk(path, value)
			}
		default:
			keys[path] = true
		}
	}
	walk("", doc)
	all := []string{}
	for key := range keys {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}
