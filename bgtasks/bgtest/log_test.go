package bgtest_test

import (
	"bytes"
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

func TestALineThatComesAfterTheEndOfTheTestDoesNoHarm(t *testing.T) {
	t.Parallel()
	var logger *slog.Logger
	got := try(func(ft *fakeT) {
		logger = bgtest.New(ft, bgtasks.Config{}).Runner.Logger()
		logger.Info("while it runs")
	})
	assert.NotPanics(t, func() { logger.Info("too late") })
	assert.Equal(t, `level=INFO msg="while it runs"`, got.logged())
}
