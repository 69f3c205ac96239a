package bgtest_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtest"
)

func TestTheRunnersLogIsTheTestsLog(t *testing.T) {
	t.Parallel()
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{})
		k.Fail("mail", errDown)
		k.Do(adding(k.Runner, add("log", nothing), add("mail", nothing)), post())
	})
	if assert.Len(t, got.logs, 2) {
		assert.Contains(t, got.logs[0], `level=DEBUG msg="bgtasks: task succeeded" task=log route=/orders/{id}`)
		assert.Contains(t, got.logs[1], `level=ERROR msg="bgtasks: task failed" task=mail route=/orders/{id}`)
		assert.NotContains(t, got.logged(), "\n\n")
	}
}

func TestALoggerOfTheTestsOwnIsKept(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	got := try(func(ft *fakeT) {
		k := bgtest.New(ft, bgtasks.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		k.Fail("mail", errDown)
		k.Do(adding(k.Runner, add("mail", nothing)), post())
	})
	assert.Empty(t, got.logs)
	assert.Contains(t, lines.String(), "task=mail")
}

// The testing package panics at a Log after the test's end.
func TestLogAfterTheEndOfTheTest(t *testing.T) {
	t.Parallel()
	var logger *slog.Logger
	t.Run("Test", func(t *testing.T) {
		logger = bgtest.New(t, bgtasks.Config{}).Runner.Logger()
		logger.Info("while it runs")
	})
	assert.NotPanics(t, func() { logger.InfoContext(context.Background(), "too late") })
}
