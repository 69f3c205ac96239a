// Package chimw stands for the real one: the same names and types, and no code.
package chimw

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func BackgroundTasks(r *bgtasks.Runner) func(http.Handler) http.Handler { return nil }
func Uploads(next http.Handler) http.Handler                            { return nil }
func Attach(srv *http.Server)                                           {}

func ListenAndServe(ctx context.Context, srv *http.Server, r *bgtasks.Runner, grace time.Duration) error {
	return nil
}

func Serve(ctx context.Context, srv *http.Server, ln net.Listener, r *bgtasks.Runner, grace time.Duration) error {
	return nil
}
