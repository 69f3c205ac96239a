package main

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A client that does nothing, at whatever point, must not hold a connection for ever.
func TestEveryPhaseOfAConnectionHasALimit(t *testing.T) {
	srv := newServer(http.NotFoundHandler(), slog.Default())
	assert.Positive(t, srv.ReadHeaderTimeout)
	assert.Positive(t, srv.ReadTimeout)
	assert.Positive(t, srv.IdleTimeout)
	assert.Greater(t, srv.WriteTimeout, requestTimeout, "a request that times out is answered")
}
