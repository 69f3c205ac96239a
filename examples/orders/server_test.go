package main

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client that does nothing, at whatever point, must not hold a connection for ever.
func TestEveryPhaseOfAConnectionHasALimit(t *testing.T) {
	srv := newServer(http.NotFoundHandler(), slog.Default())
	assert.Positive(t, srv.ReadHeaderTimeout)
	assert.Positive(t, srv.ReadTimeout)
	assert.Positive(t, srv.IdleTimeout)
	assert.Greater(t, srv.WriteTimeout, requestTimeout, "a request that times out is answered")
}

func TestFoldersAreForTheirOwnerOnly(t *testing.T) {
	dir, _, err := folder(filepath.Join(t.TempDir(), "new"))
	require.NoError(t, err)
	_, err = newMailer(&config{}, dir)
	require.NoError(t, err)
	_, err = newAPI(&config{}, dir, nil, nil, nil)
	require.NoError(t, err)
	for _, path := range []string{dir, filepath.Join(dir, "outbox"), filepath.Join(dir, "temp"), filepath.Join(dir, "reports")} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, path)
	}
}
