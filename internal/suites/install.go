package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A patch replaces text in a file, where it is found once.
type patch struct{ file, old, new string }

func (p patch) apply(dir string) error {
	path := filepath.Join(dir, p.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), p.old); n != 1 {
		return fmt.Errorf("%s has %d places like %q: the patch needs a new look", p.file, n, p.old)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(text), p.old, p.new, 1)), 0o644)
}

// hook is what the middleware gets in by: the module itself cannot import the library, which
// imports it, but its external tests can.
const hook = `package %s

import "net/http"

// Installed goes in front of everything.
var Installed []func(http.Handler) http.Handler
`

// installer is put beside the tests of each package. Its own test comes last.
const installer = `package %s_test

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	hooked %q
)

var (
	suitesRunner              = bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
	suitesAdded, suitesRan    atomic.Int64
)

func init() {
	hooked.Installed = append(hooked.Installed, chimw.BackgroundTasks(suitesRunner), suitesAdd)
}

func suitesAdd(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bgtasks.Add(r.Context(), "task", func(context.Context) error { suitesRan.Add(1); return nil }) == nil {
			suitesAdded.Add(1)
		}
		next.ServeHTTP(w, r)
	})
}

func TestZZEveryTaskHasRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := suitesRunner.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	added, ran := suitesAdded.Load(), suitesRan.Load()
	if added != ran {
		t.Fatalf("%%d added, %%d ran", added, ran)
	}
	t.Logf("suites: %%d requests, %%d tasks", added, ran)
}
`

// install puts the middleware in.
func (s suite) install(dir string) error {
	packages, err := testedPackages(dir)
	if err != nil {
		return err
	}
	if s.patch == (patch{}) {
		if len(packages) > 0 {
			return errors.New("it has tests now: say where the middleware goes")
		}
		return nil
	}
	if err := s.patch.apply(dir); err != nil {
		return err
	}
	for _, p := range packages {
		if p.dir == dir {
			if err := os.WriteFile(filepath.Join(dir, "zz_hook.go"), fmt.Appendf(nil, hook, p.name), 0o644); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(p.dir, "zz_install_test.go"), fmt.Appendf(nil, installer, p.name, s.module), 0o644); err != nil {
			return err
		}
	}
	return nil
}

type goPackage struct{ name, dir string }

func testedPackages(dir string) (all []goPackage, err error) {
	cmd := exec.Command("go", "list", "-mod=mod", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.Name}} {{.Dir}}{{end}}", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if name, path, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all = append(all, goPackage{name, path})
		}
	}
	return all, nil
}
