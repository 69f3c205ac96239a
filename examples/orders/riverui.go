package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/go-chi/chi/v5"
	"riverqueue.com/riverui"
)

// River's user interface shows what is stored, with -riverui, and can cancel, delete and retry it. So
// it is for those who run the shop: it asks for the name and the password of -debug. Without one it is
// there only if the program listens on the machine's own addresses, and for those who sit at it: what a
// reverse proxy passes on is refused where it can be told, so behind one set a password.

const riverUIPath = "/riverui"

func (d *durable[T]) ui(ctx context.Context, log *slog.Logger) (http.Handler, error) {
	ui, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(d.Client(), nil),
		Logger:    log,
		Prefix:    riverUIPath,
	})
	if err != nil {
		return nil, fmt.Errorf("-riverui: %w", err)
	}
	return ui, ui.Start(ctx)
}

// mayShowRiverUI is asked with the address that the program listens on.
func (c *config) mayShowRiverUI(addr net.Addr) error {
	if at, ok := addr.(*net.TCPAddr); c.riverUI && c.debug == "" && !(ok && at.IP.IsLoopback()) {
		return fmt.Errorf("-riverui: needs -debug for a password, or -addr 127.0.0.1:port: at %v it would be for all to see", addr)
	}
	return nil
}

// riverUIRoutes are inside of sameOrigin (see newRouter): another site's page can't cancel anything
// with the password that a browser remembers.
func (a *api) riverUIRoutes(r chi.Router) {
	if a.riverUI == nil {
		return
	}
	r = a.debug.guarded(r)
	if a.debug.user == "" {
		r = r.With(localOnly)
	}
	r.Mount(riverUIPath, a.riverUI)
}

// localOnly refuses requests for other hosts than this machine (a page from elsewhere whose name has
// come to mean this machine), and what reverse proxies do to those that they pass on: a header that
// says so, or HTTP/1.0, which is nginx's way unless it is told otherwise.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(host)
		if host != "localhost" && (ip == nil || !ip.IsLoopback()) || passedOn(r) {
			fail(w, r, problem(http.StatusForbidden, "this is for the machine itself only"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func passedOn(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if r.Header.Get(header) != "" {
			return true
		}
	}
	return !r.ProtoAtLeast(1, 1)
}
