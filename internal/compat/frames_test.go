package compat_test

import (
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	//lint:ignore SA1019 it is deprecated, and in use
	"golang.org/x/net/http2/h2c"
)

// A way is one of serving HTTP/2.
type way struct {
	name     string
	protocol servertest.Protocol
	scheme   string
	wrap     func(http.Handler) http.Handler
}

// withH2C serves HTTP/2 by golang.org/x/net, on connections that net/http takes for HTTP/1.1.
//
//lint:ignore SA1019 it is deprecated, and in use
func withH2C(h http.Handler) http.Handler { return h2c.NewHandler(h, &http2.Server{}) }

var ways = []way{
	{"net/http TLS", servertest.HTTP2, "https", func(h http.Handler) http.Handler { return h }},
	{"net/http cleartext", servertest.H2C, "http", func(h http.Handler) http.Handler { return h }},
	{"x/net h2c", servertest.HTTP1, "http", withH2C},
}

func (w way) start(t testing.TB, h http.Handler, opts ...servertest.Option) *servertest.Server {
	return servertest.Start(t, w.protocol, w.wrap(h), opts...)
}

// http2Shapes are those that HTTP/1.1 does not have, or not in this way.
func http2Shapes() []shapes.Shape {
	return []shapes.Shape{
		{Name: "handler closes the connection", Handler: lastOnConnection},
		{Name: "pushed", Handler: func(w http.ResponseWriter, r *http.Request) {
			if err := w.(http.Pusher).Push(shapes.Probe, nil); err != nil {
				panic(err)
			}
			render.PlainText(w, r, "with another resource")
		}},
		{Name: "not to be hijacked", Handler: func(w http.ResponseWriter, r *http.Request) {
			_, _, err := http.NewResponseController(w).Hijack()
			render.PlainText(w, r, err.Error())
		}},
	}
}

func lastOnConnection(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	render.PlainText(w, r, "the last on this connection")
}

func TestHTTP2FramesAreTheSame(t *testing.T) {
	all := append(shapes.All(t), http2Shapes()...)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			without := w.start(t, shapes.Without(all), servertest.Unattached())
			sites := startSites(t, w, all)
			t.Run("shapes", func(t *testing.T) {
				for i, s := range all {
					t.Run(s.Name, func(t *testing.T) {
						t.Parallel()
						w.compare(t, without, sites, i, s)
					})
				}
			})
			for i, s := range all {
				for _, site := range sites {
					t.Logf("%s, %s: %d tasks", s.Name, site.Name, site.guises[i].RequireTasks(t))
				}
			}
		})
	}
}

// A site is one server with all shapes behind one presence of the middleware.
type site struct {
	shapes.Presence
	server *servertest.Server
	guises []*shapes.Guise
}

func startSites(t *testing.T, w way, all []shapes.Shape) []site {
	var sites []site
	presences := shapes.Presences
	if w.protocol.TLS {
		presences = presences[1:3] // handshakes are slow, and the other presences no different
	}
	for _, pr := range presences {
		h, guises := shapes.With(pr, all)
		sites = append(sites, site{pr, w.start(t, h), guises})
	}
	return sites
}

// compare asks the server without the middleware twice, as a check on the shape itself.
func (w way) compare(t *testing.T, without *servertest.Server, sites []site, i int, s shapes.Shape) {
	host := shapes.Host(i)
	want := dial(t, w.protocol, without).exchange(s, w.scheme, host)
	require.NotEmpty(t, want[1])
	require.Equal(t, want, dial(t, w.protocol, without).exchange(s, w.scheme, host))
	for _, site := range sites {
		t.Run(site.Name, func(t *testing.T) {
			require.Equal(t, want, dial(t, w.protocol, site.server).exchange(s, w.scheme, host))
			site.guises[i].Release(t)
		})
	}
}

// A task does not keep open a connection that the handler has closed.
func TestConnectionClosesThoughATaskRuns(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := shapes.Shape{Handler: lastOnConnection}
			g := shapes.NewGuise(shapes.Presence{Tasks: 1, Block: true})
			c := dial(t, w.protocol, w.start(t, s.Router(g.Middleware()...)))
			c.request(1, s, w.scheme, "a.test")
			c.readUntil(func() bool { return false })
			require.True(t, c.ended[1])
			g.Release(t)
			g.RequireTasks(t)
		})
	}
}

// The comparison must see what a careless middleware does to a response.
func TestFrameComparisonSeesCarelessMiddleware(t *testing.T) {
	flushFirst := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			_ = http.NewResponseController(w).Flush()
		})
	}
	s := shapes.Shape{Handler: func(w http.ResponseWriter, r *http.Request) { render.PlainText(w, r, "small") }}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			without := way.start(t, s.Router(), servertest.Unattached())
			with := way.start(t, s.Router(flushFirst), servertest.Unattached())
			require.NotEqual(t, dial(t, way.protocol, without).exchange(s, way.scheme, "a.test"),
				dial(t, way.protocol, with).exchange(s, way.scheme, "a.test"))
		})
	}
}
