package bgvet_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgvet"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis/analysistest"
)

func TestWaysToHandAFunctionToAdd(t *testing.T)  { check(t, "handed") }
func TestResponseWriterInATask(t *testing.T)     { check(t, "responsewriter") }
func TestRequestInATask(t *testing.T)            { check(t, "request") }
func TestContextOfATask(t *testing.T)            { check(t, "taskcontext") }
func TestVariableChangedAfterAdd(t *testing.T)   { check(t, "changed") }
func TestDroppedError(t *testing.T)              { check(t, "dropped") }
func TestReleasedByTheHandler(t *testing.T)      { check(t, "release") }
func TestCompressFurtherIn(t *testing.T)         { check(t, "placement") }
func TestIgnoreNeedsAReason(t *testing.T)        { check(t, "ignore") }
func TestOtherPackagesAreLeftAlone(t *testing.T) { check(t, "unrelated") }

func TestGoroutinesAreNotReportedByDefault(t *testing.T) {
	require.Contains(t, analyzed().results, "goroutine")
	require.Empty(t, analyzed().results["goroutine"].Diagnostics)
}

func TestGoroutineInAHandler(t *testing.T) {
	analyzed() // without the flag, which is one for all
	require.NoError(t, bgvet.Analyzer.Flags.Set("goroutines", "true"))
	defer func() { require.NoError(t, bgvet.Analyzer.Flags.Set("goroutines", "false")) }()
	analysistest.Run(t, analysistest.TestData(), bgvet.Analyzer, "goroutine")
}

// An analysis is what analysistest has found in all of testdata: to load net/http anew for each
// package would take most of the time.
type analysis struct {
	results map[string]*analysistest.Result
	errors  []string
}

var analyzed = sync.OnceValue(func() *analysis {
	a := &analysis{results: make(map[string]*analysistest.Result)}
	packages := []string{
		"handed", "responsewriter", "request", "taskcontext", "changed", "dropped", "release", "placement", "ignore",
		"unrelated", "goroutine", "seeds/wrong", "seeds/right",
	}
	for _, r := range analysistest.RunWithSuggestedFixes(a, analysistest.TestData(), bgvet.Analyzer, packages...) {
		a.results[r.Action.Package.PkgPath] = r
	}
	return a
})

// Errorf takes what does not meet the want comments and the golden files.
func (a *analysis) Errorf(format string, args ...any) {
	a.errors = append(a.errors, fmt.Sprintf(format, args...))
}

// check reports the errors in a package. That it has no golden file is none: its fixes are
// not looked at then.
func check(t *testing.T, pkg string) {
	t.Helper()
	require.Contains(t, analyzed().results, pkg)
	require.NoError(t, analyzed().results[pkg].Err)
	for _, e := range analyzed().errors {
		if strings.Contains(e, pkg+"/") && !strings.HasPrefix(e, "error reading") {
			assert.Fail(t, e)
		}
	}
}
