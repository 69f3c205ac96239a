package bgriver

import (
	"context"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"go.opentelemetry.io/otel/propagation"
)

// carriage is what a unit takes along from the request that has added it.
type carriage struct {
	Key       string                 `json:"key"`
	Route     string                 `json:"route,omitempty"`
	Method    string                 `json:"method,omitempty"`
	RequestID string                 `json:"request_id,omitempty"`
	Trace     propagation.MapCarrier `json:"trace,omitempty"` // traceparent and tracestate
}

func newCarriage(ctx context.Context, about bgtasks.Info) carriage {
	c := carriage{newKey(), about.Route, about.Method, about.RequestID, propagation.MapCarrier{}}
	propagation.TraceContext{}.Inject(ctx, c.Trace)
	return c
}

// unpack puts into ctx what a task in memory would find there.
func (c carriage) unpack(ctx context.Context) context.Context {
	if c.RequestID != "" {
		ctx = context.WithValue(ctx, middleware.RequestIDKey, c.RequestID)
	}
	if c.Route != "" {
		route := chi.NewRouteContext()
		route.RouteMethod, route.RoutePatterns = c.Method, []string{c.Route}
		ctx = context.WithValue(ctx, chi.RouteCtxKey, route)
	}
	if len(c.Trace) > 0 {
		ctx = propagation.TraceContext{}.Extract(ctx, c.Trace)
	}
	return ctx
}
