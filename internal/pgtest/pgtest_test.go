//go:build unix

package pgtest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/pgtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClusterStopsAndStartsAgain(t *testing.T) {
	c, err := pgtest.New("fsync=off")
	if errors.Is(err, pgtest.ErrNone) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	first, err := c.Database()
	require.NoError(t, err)
	second, err := c.Database()
	require.NoError(t, err)
	assert.NotEqual(t, first, second)
	assert.True(t, strings.HasPrefix(first, "postgres:///db1?"))
	c.Stop()
	_, err = c.Database()
	assert.Error(t, err, "it is away")
	require.NoError(t, c.Start())
	_, err = c.Database()
	require.NoError(t, err)
	c.Kill()
	require.NoError(t, c.Start())
}
