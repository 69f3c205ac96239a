package chimw_test

import (
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/stretchr/testify/require"
)

// A site is one server with all shapes behind one presence of the middleware.
type site struct {
	shapes.Presence
	addr   string
	guises []*shapes.Guise
}

func startSites(t *testing.T, p servertest.Protocol, all []shapes.Shape) []site {
	var sites []site
	presences := shapes.Presences
	if p.TLS {
		presences = presences[1:3] // handshakes are slow, and the other presences no different
	}
	for _, pr := range presences {
		h, guises := shapes.With(pr, all)
		sites = append(sites, site{pr, servertest.Start(t, p, h).Addr, guises})
	}
	return sites
}

func TestHTTP1ResponseIsTheSameByteForByte(t *testing.T) {
	all := append(shapes.All(t), http1Shapes(t)...)
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP1TLS} {
		t.Run(p.Name, func(t *testing.T) {
			without := servertest.Start(t, p, shapes.Without(all), servertest.Unattached())
			sites := startSites(t, p, all)
			t.Run("shapes", func(t *testing.T) {
				for i, s := range all {
					t.Run(s.Name, func(t *testing.T) {
						t.Parallel()
						compareBytes(t, p, without.Addr, sites, i, s)
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

// compareBytes asks the server without the middleware twice, as a check on the shape itself.
func compareBytes(t *testing.T, p servertest.Protocol, without string, sites []site, i int, s shapes.Shape) {
	host := shapes.Host(i)
	want := dialWire(t, p, without).exchange(s, host)
	requireSameBytes(t, want, dialWire(t, p, without).exchange(s, host))
	for _, site := range sites {
		t.Run(site.Name, func(t *testing.T) {
			requireSameBytes(t, want, dialWire(t, p, site.addr).exchange(s, host))
			site.guises[i].Release(t)
		})
	}
}

// The comparison must see what a careless middleware does to a response.
func TestHTTP1ComparisonSeesCarelessMiddleware(t *testing.T) {
	flushFirst := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			_ = http.NewResponseController(w).Flush()
		})
	}
	recovering := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { _ = recover() }()
			next.ServeHTTP(w, r)
		})
	}
	hiding := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		})
	}
	for name, mw := range map[string]func(http.Handler) http.Handler{
		"small text":             flushFirst,
		"panic after a flush":    recovering,
		"Flush by the interface": hiding,
	} {
		t.Run(name, func(t *testing.T) {
			s := shapeNamed(t, name)
			without := servertest.Start(t, servertest.HTTP1, s.Router(), servertest.Unattached())
			with := servertest.Start(t, servertest.HTTP1, s.Router(mw), servertest.Unattached())
			require.NotEqual(t, dialWire(t, servertest.HTTP1, without.Addr).exchange(s, "a.test"),
				dialWire(t, servertest.HTTP1, with.Addr).exchange(s, "a.test"))
		})
	}
}

func shapeNamed(t *testing.T, name string) shapes.Shape {
	for _, s := range shapes.All(t) {
		if s.Name == name {
			return s
		}
	}
	require.FailNow(t, "no such shape", name)
	return shapes.Shape{}
}
