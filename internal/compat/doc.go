// Package compat holds tests that need modules which the library does without: other
// routers, servers, logging and tracing middleware, websockets, and golang.org/x/net for the
// frames of HTTP/2 with and without the middleware and for its h2c, which is not net/http's.
package compat
