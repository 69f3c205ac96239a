package bgriver_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
)

func TestStepInATransactionIsDoneOnceThoughTheAnswerToItsCommitIsLost(t *testing.T) {
	url, err := requireCluster(t).Database()
	require.NoError(t, err)
	b := postgresAt(t, url)
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	var lost atomic.Bool
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &commitLoser{Conn: conn, lost: &lost}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)

	var calls atomic.Int32
	step := bgriver.DefineTx("step", func(ctx context.Context, tx pgx.Tx, what string) error {
		if calls.Add(1) == 1 {
			if _, err := tx.Exec(ctx, loseCommit); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "INSERT INTO done VALUES ($1)", what)
		return err
	}, bgtasks.Retry(3, bgtasks.Backoff(1, 1)))
	run := bgtasks.New(bgtasks.Config{Logger: quietLog})
	q, err := bgriver.OpenPostgres(t.Context(), pool, run, quick(step))
	require.NoError(t, err)
	s := &site[pgx.Tx]{Queue: q, run: run}
	require.NoError(t, q.Add(t.Context(), step.With("x")))
	s.until(t, rivertype.JobStateCompleted)
	require.NoError(t, run.Shutdown(t.Context()))
	assert.True(t, lost.Load())
	assert.Equal(t, []string{"x"}, b.done(t, "what"))
}

const loseCommit = "SELECT 'the answer to the next commit is lost'"

// A commitLoser loses the answer to the commit that follows loseCommit, and with it the connection.
type commitLoser struct {
	net.Conn
	armed bool
	lost  *atomic.Bool
}

func (c *commitLoser) Write(p []byte) (int, error) {
	c.armed = c.armed || bytes.Contains(p, []byte(loseCommit))
	return c.Conn.Write(p)
}

func (c *commitLoser) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.armed && bytes.Contains(p[:n], []byte("COMMIT\x00")) {
		c.lost.Store(true)
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
