package chimw_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Beside each neighbour, outside it and inside: the response is what it is without our
// middleware and does not wait for the task, nor does the next one; each task runs once,
// with its own route.
//
// A TimeoutHandler that times out goes around the router: inside, it has chi put back the
// route context that its handler still reads, also without our middleware.
func TestBesideChisOwnMiddleware(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		hosts := bhHosts{}
		s := servertest.Start(t, p, hosts)
		for _, n := range bhNeighbours {
			for i, where := range []string{"ours outside", "ours inside"} {
				t.Run(n.name+"/"+where, func(t *testing.T) { bhBeside(t, s, hosts, n, i == 0) })
			}
		}
	})
}

// bhHosts serves routers by the host that a request names.
type bhHosts map[string]http.Handler

func (h bhHosts) ServeHTTP(w http.ResponseWriter, r *http.Request) { h[r.Host].ServeHTTP(w, r) }

func bhBeside(t *testing.T, s *servertest.Server, hosts bhHosts, n bhNeighbour, outside bool) {
	run, _ := bhRunner(bgtasks.Config{})
	answered, ran := make(chan struct{}), make(chan map[string]string, 3)
	captured := !n.around || !outside // as the package's documentation says
	hosts["bare"] = bhItems(n, bhItem(nil))
	hosts["tasks"] = bhItems(n, bhItem(func(r *http.Request) {
		bhAdd(t, r.Context(), "see", bhSeen(r, captured, answered, ran))
	}), bhOurs{chimw.BackgroundTasks(run), outside})

	want := bhAnswer(t, s, n, "bare")
	require.Equal(t, max(n.status, http.StatusOK), want.status)
	for range 2 { // the second while the first one's task waits
		assert.Equal(t, want, bhAnswer(t, s, n, "tasks"))
	}
	close(answered)
	tasks := 2
	if n.unreached {
		tasks = 0
	}
	for range tasks {
		assert.Equal(t, n.seen(captured), bhReceive(t, ran, "a task"))
	}
	bhWait(t, run)
	assert.Empty(t, ran)
}

type bhOurs struct {
	middleware bhHTTPMiddleware
	outside    bool
}

// bhItems is a router with the neighbour and, if given, ours.
func bhItems(n bhNeighbour, h http.HandlerFunc, ours ...bhOurs) http.Handler {
	var inside, outside chi.Middlewares
	for _, o := range ours {
		if o.outside {
			outside = append(outside, o.middleware)
		} else {
			inside = append(inside, o.middleware)
		}
	}
	r := chi.NewRouter()
	if n.around {
		r.Use(inside...)
	} else {
		r.Use(append(append(outside, n.middleware), inside...)...)
	}
	r.Get("/items/{id}", h)
	r.Post("/items/{id}", h)
	if n.around {
		return append(outside, n.middleware).Handler(r)
	}
	return r
}

// bhItem adds a task, unless add is nil, and then does what the request asks for.
func bhItem(add func(*http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := chi.URLParam(r, "id")
		if add != nil {
			add(r)
		}
		switch r.URL.Query().Get("do") {
		case "panic":
			panic("as asked")
		case "wait":
			bhExpire(r)
		case "outlive":
			<-bhExpire(r).answered
		default:
			w.Header().Set("X-Item", id)
			render.PlainText(w, r, strings.Repeat("item "+id+" ", 1000))
		}
	}
}

// bhSeen is a task that tells what it sees of its request.
func bhSeen(r *http.Request, captured bool, when <-chan struct{}, tell chan<- map[string]string) bgtasks.Func {
	return func(ctx context.Context) error {
		if err := bhUntil(when)(ctx); err != nil {
			return err
		}
		info, _ := bgtasks.InfoFrom(ctx)
		seen := map[string]string{
			"parameter": chi.URLParamFromCtx(ctx, "id"),
			"pattern":   chi.RouteContext(ctx).RoutePattern(),
			"route":     info.Route,
			"requestID": info.RequestID,
			"value":     fmt.Sprint(ctx.Value(bhValueKey{})),
		}
		if captured {
			seen["captured"] = chi.URLParam(r, "id")
		}
		tell <- seen
		return ctx.Err()
	}
}

// seen is what bhSeen tells beside n.
func (n bhNeighbour) seen(captured bool) map[string]string {
	seen := map[string]string{
		"parameter": "7",
		"pattern":   "/items/{id}", "route": "/items/{id}",
		"requestID": n.header.Get(middleware.RequestIDHeader),
		"value":     fmt.Sprint(nil),
	}
	if n.name == "WithValue" {
		seen["value"] = "a value"
	}
	if captured {
		seen["captured"] = "7"
	}
	return seen
}

type bhWholeResponse struct {
	status int
	header http.Header
	body   string
	length int64
}

func bhAnswer(t *testing.T, s *servertest.Server, n bhNeighbour, host string) bhWholeResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bhPatience)
	defer cancel()
	res, err := s.Client.Do(n.request(ctx, s.URL, host))
	require.NoError(t, err)
	body := bhBody(t, res)
	res.Header.Del("Date")
	return bhWholeResponse{res.StatusCode, res.Header, body, res.ContentLength}
}
