package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTourFindsAllAsItShouldBe(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, nil), out.String())
	text := out.String()
	for _, line := range []string{
		`s  the client +the tasks`,
		`\d\.\d{4}  POST /orders +\n`,
		`\d\.\d{4}  201 Created +\n`,
		`update inventory +failed after [\d.]+ ms bgtasks: task panicked: it was asked to fail`,
		`send confirmation +skipped`,
		`announce image +succeeded`,
		`\(the upload's temporary file is gone\)`,
		`write login audit +succeeded`,
		`\(SIGTERM\)`,
		`write audit +succeeded, as recorded`,
		`All is as it should be\.\n$`,
	} {
		assert.Regexp(t, line, text)
	}
	assert.NotContains(t, text, "NOT AS IT SHOULD BE")
	answered := regexp.MustCompile(`(?s)201 Created.*validate order +succeeded`)
	assert.Regexp(t, answered, text[:strings.Index(text, "An order with a step that fails")])
}

// The tour has to notice: each of these settings makes the app do something else.
func TestTourFindsWhatIsNotAsItShouldBe(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "orders")
	require.NoError(t, build(t.Context(), binary))
	for what, c := range map[string]struct {
		settings []string
		says     string
	}{
		"a step that does not fail":  {[]string{"-faults=false"}, "the tasks have ended as"},
		"orders that are refused":    {[]string{"-max-pending", "1"}, "answered 503, not 201"},
		"tasks that are cut off":     {[]string{"-grace", "1ms"}, "the app has not ended well"},
		"an app that does not start": {[]string{"-log", "xml"}, "-log: must be auto, text or json"},
	} {
		t.Run(what, func(t *testing.T) {
			var out bytes.Buffer
			err := visit(t.Context(), &out, binary, t.TempDir(), append([]string{"-pace", "50ms"}, c.settings...))
			require.ErrorContains(t, err, c.says, out.String())
			assert.NotContains(t, out.String(), "All is as it should be")
		})
	}
}
