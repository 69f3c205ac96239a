package chimw_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5/middleware"
)

type bhHTTPMiddleware = func(http.Handler) http.Handler

// bhNeighbour is a middleware beside ours and the request that shows what it does.
type bhNeighbour struct {
	name       string
	middleware bhHTTPMiddleware
	method     string // GET where empty
	path       string // /items/7 where empty
	header     http.Header
	do         string // what the handler does, see bhItem
	status     int    // 200 where 0
	unreached  bool   // the handler is not called
	around     bool   // it goes around the router, see TestBesideChisOwnMiddleware
}

type bhValueKey struct{}

var bhNeighbours = []bhNeighbour{
	{name: "Compress", middleware: middleware.Compress(5), header: http.Header{"Accept-Encoding": {"gzip"}}},
	{name: "Timeout", middleware: middleware.Timeout(bhPatience)},
	{name: "Timeout that has passed", middleware: bhExpiring(middleware.Timeout(bhPatience)), do: "wait", status: http.StatusGatewayTimeout},
	{name: "Throttle", middleware: middleware.Throttle(1)},
	{name: "Recoverer", middleware: middleware.Recoverer},
	{name: "Recoverer of a panic", middleware: bhQuietRecoverer, do: "panic", status: http.StatusInternalServerError},
	{name: "Logger", middleware: middleware.RequestLogger(bhQuietFormatter)},
	{name: "RequestID", middleware: middleware.RequestID, header: http.Header{middleware.RequestIDHeader: {"id-7"}}},
	{name: "GetHead", middleware: middleware.GetHead, method: http.MethodHead},
	{name: "StripSlashes", middleware: middleware.StripSlashes, path: "/items/7/"},
	{name: "Heartbeat", middleware: middleware.Heartbeat("/ping")},
	{name: "Heartbeat that answers", middleware: middleware.Heartbeat("/ping"), path: "/ping", unreached: true},
	{name: "AllowContentType", middleware: middleware.AllowContentType("application/json"), method: http.MethodPost, header: http.Header{"Content-Type": {"application/json"}}},
	{name: "AllowContentType that refuses", middleware: middleware.AllowContentType("application/json"), method: http.MethodPost, header: http.Header{"Content-Type": {"text/plain"}}, status: http.StatusUnsupportedMediaType, unreached: true},
	{name: "WithValue", middleware: middleware.WithValue(bhValueKey{}, "a value")},
	{name: "TimeoutHandler", middleware: bhTimeoutHandler},
	{name: "TimeoutHandler that has timed out", middleware: bhExpiring(bhTimeoutHandler), do: "outlive", status: http.StatusServiceUnavailable, around: true},
}

var bhQuietFormatter = &middleware.DefaultLogFormatter{Logger: log.New(io.Discard, "", 0), NoColor: true}

// bhQuietRecoverer is Recoverer with a log entry to print the stack to, which is otherwise stderr.
func bhQuietRecoverer(next http.Handler) http.Handler {
	recoverer := middleware.Recoverer(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recoverer.ServeHTTP(w, middleware.WithLogEntry(r, bhNoEntry{}))
	})
}

type bhNoEntry struct{}

func (bhNoEntry) Write(int, int, http.Header, time.Duration, any) {}
func (bhNoEntry) Panic(any, []byte)                               {}

func bhTimeoutHandler(next http.Handler) http.Handler {
	return http.TimeoutHandler(next, bhPatience, "too late")
}

// request is the neighbour's request for the router of that host.
func (n bhNeighbour) request(ctx context.Context, base, host string) *http.Request {
	path := n.path
	if path == "" {
		path = "/items/7"
	}
	var body io.Reader
	if n.method == http.MethodPost {
		body = strings.NewReader("{}")
	}
	query := url.Values{"do": {n.do}}.Encode()
	req, err := http.NewRequestWithContext(ctx, n.method, base+path+"?"+query, body)
	if err != nil {
		panic(err)
	}
	if n.header != nil {
		req.Header = n.header.Clone()
	}
	req.Host = host
	return req
}
