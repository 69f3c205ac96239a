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
// there only if the program listens on the machine's own addresses.

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

// localOnly refuses requests for other hosts than this machine: a page from elsewhere whose name has
// come to mean this machine, and what a reverse proxy passes on under its own name.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			fail(w, r, problem(http.StatusForbidden, "this is for the machine itself only"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
