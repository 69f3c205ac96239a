package bgvet_test

import (
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgvet"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis/analysistest"
)

func TestWaysToHandAFunctionToAdd(t *testing.T)  { run(t, "handed") }
func TestResponseWriterInATask(t *testing.T)     { run(t, "responsewriter") }
func TestRequestInATask(t *testing.T)            { run(t, "request") }
func TestContextOfATask(t *testing.T)            { runFixes(t, "taskcontext") }
func TestVariableChangedAfterAdd(t *testing.T)   { run(t, "changed") }
func TestDroppedError(t *testing.T)              { runFixes(t, "dropped") }
func TestReleasedByTheHandler(t *testing.T)      { run(t, "release") }
func TestCompressFurtherIn(t *testing.T)         { runFixes(t, "placement") }
func TestIgnoreNeedsAReason(t *testing.T)        { run(t, "ignore") }
func TestOtherPackagesAreLeftAlone(t *testing.T) { run(t, "unrelated") }

func TestGoroutineInAHandler(t *testing.T) {
	require.NoError(t, bgvet.Analyzer.Flags.Set("goroutines", "true"))
	defer func() { require.NoError(t, bgvet.Analyzer.Flags.Set("goroutines", "false")) }()
	run(t, "goroutine")
}

func TestGoroutinesAreNotReportedByDefault(t *testing.T) {
	results := analysistest.Run(discard{}, analysistest.TestData(), bgvet.Analyzer, "goroutine")
	require.Len(t, results, 1)
	require.Empty(t, results[0].Diagnostics)
}

// discard takes the errors of expectations that are not met.
type discard struct{}

func (discard) Errorf(string, ...any) {}

func run(t *testing.T, pkg string) {
	t.Helper()
	analysistest.Run(t, analysistest.TestData(), bgvet.Analyzer, pkg)
}

func runFixes(t *testing.T, pkg string) {
	t.Helper()
	analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), bgvet.Analyzer, pkg)
}
