package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"

	"strings"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgvet"
	"golang.org/x/tools/go/analysis"
)

// A unit is a package as go vet describes it to its tool, one process for each, dependencies
// and the standard library included.
//
// The unitchecker of x/tools parses and type-checks every one of them. bgvet has something
// to say about few, and nothing that it needs to know of their dependencies but the types,
// which the compiler has written down: where go vet says where, most units end here at once.
// Without this, bgvet takes about as long as go vet itself.
type unit struct {
	ID          string
	Compiler    string
	ImportPath  string
	GoVersion   string
	GoFiles     []string
	ImportMap   map[string]string
	PackageFile map[string]string
	VetxOnly    bool
	VetxOutput  string
	Stdout      string

	SucceedOnTypecheckFailure bool

	json bool
}

// readUnit returns nil where these are not the arguments of go vet for a unit, or where they
// ask for more than to report findings: then it is a matter for x/tools.
func readUnit(args []string) *unit {
	if len(args) == 0 || !strings.HasSuffix(args[len(args)-1], ".cfg") {
		return nil
	}
	u := new(unit)
	flags := flag.NewFlagSet("bgvet", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&u.json, "json", false, "")
	bgvet.Analyzer.Flags.VisitAll(func(f *flag.Flag) { flags.Var(f.Value, f.Name, f.Usage) })
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		return nil
	}
	content, err := os.ReadFile(flags.Arg(0))
	if err != nil || json.Unmarshal(content, u) != nil || !u.hasTypes() {
		return nil
	}
	return u
}

// hasTypes reports whether the compiler's files of all imports are known. One without imports
// could be of a go vet that does not name any, and that relies on its tool for types.
func (u *unit) hasTypes() bool {
	known := 0
	for _, path := range u.ImportMap {
		if path == "unsafe" || path == "C" {
			continue
		}
		if u.PackageFile[path] == "" {
			return false
		}
		known++
	}
	return u.Compiler == "gc" && known > 0
}

func (u *unit) imports(path string) bool {
	for _, imported := range u.ImportMap {
		if imported == path {
			return true
		}
	}
	return false
}

// check reports what there is, and returns the exit code.
func (u *unit) check() int {
	found := 0
	if !u.VetxOnly && bgvet.Relevant(u.imports) {
		diagnostics, fset, err := u.analyze()
		if err == nil {
			found = len(diagnostics)
			err = u.print(fset, diagnostics)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if u.VetxOutput != "" {
		if err := os.WriteFile(u.VetxOutput, nil, 0o666); err != nil {
			fmt.Fprintln(os.Stderr, "bgvet:", err)
			return 1
		}
	}
	if found > 0 && !u.json {
		return 1
	}
	return 0
}

func (u *unit) analyze() (found []analysis.Diagnostic, fset *token.FileSet, err error) {
	fset = token.NewFileSet()
	files := make([]*ast.File, 0, len(u.GoFiles))
	for _, name := range u.GoFiles {
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fset, err
		}
		files = append(files, file)
	}
	info := newInfo()
	pkg, err := u.config(fset).Check(u.ImportPath, fset, files, info)
	if err != nil {
		if u.SucceedOnTypecheckFailure {
			err = nil
		}
		return nil, fset, err
	}
	_, err = bgvet.Analyzer.Run(&analysis.Pass{
		Analyzer: bgvet.Analyzer, Fset: fset, Files: files, Pkg: pkg, TypesInfo: info,
		Report: func(d analysis.Diagnostic) { found = append(found, d) },
	})
	return found, fset, err
}

// config imports what the compiler has written.
func (u *unit) config(fset *token.FileSet) *types.Config {
	compiled := importer.ForCompiler(fset, u.Compiler, func(path string) (io.ReadCloser, error) {
		file, ok := u.PackageFile[path]
		if !ok {
			return nil, fmt.Errorf("no package file for %q", path)
		}
		return os.Open(file)
	})
	return &types.Config{
		Importer:  mapped{compiled, u.ImportMap},
		Sizes:     types.SizesFor(u.Compiler, build.Default.GOARCH),
		GoVersion: u.GoVersion,
	}
}

// mapped resolves the paths in the source first.
type mapped struct {
	types.Importer
	paths map[string]string
}

func (m mapped) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	resolved, ok := m.paths[path]
	if !ok {
		return nil, fmt.Errorf("can't resolve import %q", path)
	}
	return m.Importer.Import(resolved)
}

func newInfo() *types.Info {
	return &types.Info{
		Types:        make(map[ast.Expr]types.TypeAndValue),
		Defs:         make(map[*ast.Ident]types.Object),
		Uses:         make(map[*ast.Ident]types.Object),
		Implicits:    make(map[ast.Node]types.Object),
		Instances:    make(map[*ast.Ident]types.Instance),
		Scopes:       make(map[ast.Node]*types.Scope),
		Selections:   make(map[*ast.SelectorExpr]*types.Selection),
		FileVersions: make(map[*ast.File]string),
	}
}
