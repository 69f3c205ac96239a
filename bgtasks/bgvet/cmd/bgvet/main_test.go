package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const handler = `package app

import (
	"context"
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func Handler(w http.ResponseWriter, r *http.Request) {
	go println("started")
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		<-r.Context().Done()
		return nil
	})
}
`

// A program of this module, in a folder of its own, with a stand-in for the library.
func program(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	stub, err := os.ReadFile("../../testdata/src/github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtasks.go")
	require.NoError(t, err)
	for name, content := range map[string]string{
		"go.mod":             "module github.com/chi-bgtasks/chi-bgtasks\n\ngo 1.26\n",
		"bgtasks/bgtasks.go": string(stub),
		"app/app.go":         handler,
		"other/other.go":     "package other\n",
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	}
	return dir
}

// tool builds a command of this module.
func tool(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	out, err := exec.Command("go", "build", "-o", file, "../"+name).CombinedOutput()
	require.NoError(t, err, string(out))
	return file
}

func run(dir, name string, args ...string) (output string, err error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const (
	context   = "app.go:13:5: r.Context() is the request's, not the task's"
	goroutine = "app.go:11:2: this goroutine outlives its request"
)

func TestAsToolOfGoVet(t *testing.T) {
	dir, bgvet := program(t), tool(t, "bgvet")
	out, err := run(dir, "go", "vet", "-vettool="+bgvet, "./...")
	require.Error(t, err)
	assert.Contains(t, out, context)
	assert.NotContains(t, out, goroutine)

	out, err = run(dir, "go", "vet", "-vettool="+bgvet, "-goroutines", "./...")
	require.Error(t, err)
	assert.Contains(t, out, context)
	assert.Contains(t, out, goroutine)

	out, err = run(dir, "go", "vet", "-vettool="+bgvet, "-json", "./...")
	require.NoError(t, err, out)
	assert.Contains(t, out, `"category": "taskcontext"`)
	assert.Contains(t, out, `"new": "ctx"`)

	out, err = run(dir, "go", "vet", "-vettool="+bgvet, "./bgtasks", "./other")
	assert.NoError(t, err, out)
	assert.Empty(t, out)
}

func TestOnItsOwn(t *testing.T) {
	dir, bgvet := program(t), tool(t, "bgvet")
	out, err := run(dir, bgvet, "-goroutines", "./...")
	require.Error(t, err)
	assert.Contains(t, out, context)
	assert.Contains(t, out, goroutine)

	out, err = run(dir, bgvet, "-fix", "./...")
	require.NoError(t, err, out)
	fixed, err := os.ReadFile(filepath.Join(dir, "app/app.go"))
	require.NoError(t, err)
	assert.Contains(t, string(fixed), "<-ctx.Done()")
	out, err = run(dir, bgvet, "./...")
	assert.NoError(t, err, out)
}

func TestWithGoVetInOneRun(t *testing.T) {
	dir := program(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other/printf.go"),
		[]byte("package other\n\nimport \"fmt\"\n\nfunc F() { fmt.Printf(\"%d\", \"x\") }\n"), 0o644))
	out, err := run(dir, "go", "vet", "-vettool="+tool(t, "bgvetall"), "./...")
	require.Error(t, err)
	assert.Contains(t, out, context)
	assert.Contains(t, out, "fmt.Printf format %d has arg")
}
