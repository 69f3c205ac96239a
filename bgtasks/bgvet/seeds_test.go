package bgvet_test

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The seeds are 40 handlers with one mistake each and 40 without any, written by somebody who
// had not seen the analyzer: see doc.go for the figures of the first run. They are of the
// checks that are on by default.
func TestSeededMistakesAreFound(t *testing.T) {
	cases := seededMistakes(t)
	require.Len(t, cases, 40)
	found := foundIn(t, "seeds/wrong")
	for name, lines := range cases {
		assert.True(t, slices.ContainsFunc(lines, func(l line) bool { return found[l] != "" }), "%s is not found", name)
		for _, l := range lines {
			delete(found, l)
		}
	}
	assert.Empty(t, found, "reported in a wrong handler, but not what is wrong with it")
}

func TestNothingIsReportedInRightSeeds(t *testing.T) {
	assert.Equal(t, 40, rightSeeds(t))
	assert.Empty(t, foundIn(t, "seeds/right"))
}

type line struct {
	file string
	n    int
}

// foundIn are the reports in a package, by where they are.
func foundIn(t *testing.T, pkg string) map[line]string {
	result := analyzed().results[pkg]
	require.NotNil(t, result)
	require.NoError(t, result.Err)
	found := make(map[line]string)
	for _, d := range result.Diagnostics {
		at := result.Pass.Fset.Position(d.Pos)
		found[line{filepath.Base(at.Filename), at.Line}] = d.Message
	}
	return found
}

var marked = regexp.MustCompile(`// (?:WRONG|ALSO)\(\d\) in (Wrong\d\d)$`)

// seededMistakes are the lines on which each may be reported.
func seededMistakes(t *testing.T) map[string][]line {
	cases := make(map[string][]line)
	eachLine(t, "testdata/src/seeds/wrong/*.go", func(at line, text string) {
		if m := marked.FindStringSubmatch(text); m != nil {
			cases[m[1]] = append(cases[m[1]], at)
		}
	})
	return cases
}

func rightSeeds(t *testing.T) (n int) {
	eachLine(t, "testdata/src/seeds/right/*.go", func(_ line, text string) {
		if strings.HasPrefix(text, "// Right") {
			n++
		}
	})
	return n
}

func eachLine(t *testing.T, pattern string, visit func(at line, text string)) {
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	for _, name := range files {
		file, err := os.Open(name)
		require.NoError(t, err)
		scanner := bufio.NewScanner(file)
		for n := 1; scanner.Scan(); n++ {
			visit(line{filepath.Base(name), n}, scanner.Text())
		}
		require.NoError(t, scanner.Err())
		require.NoError(t, file.Close())
	}
}
