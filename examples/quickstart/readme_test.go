package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The README's first complete program is this one, so that what people copy is compiled here.
func TestREADMEsFirstProgramIsThisOne(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindSubmatch(readme)
	require.NotNil(t, block, "the README has a block that starts with package main")
	program, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, code, found := strings.Cut("\n"+string(program), "\npackage main\n")
	require.True(t, found)
	assert.Equal(t, "package main\n"+code, string(block[1]))
}
