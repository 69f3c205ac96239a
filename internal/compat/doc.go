// Package compat holds tests that need golang.org/x/net: the frames of HTTP/2 with and
// without the middleware, and the h2c of golang.org/x/net/http2, which is not net/http's.
package compat
