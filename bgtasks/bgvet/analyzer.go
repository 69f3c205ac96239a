package bgvet

import (
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// Analyzer reports tasks that compile and go wrong when they run. The package's
// documentation lists what it finds.
var Analyzer = &analysis.Analyzer{
	Name: "bgvet",
	Doc: `report background tasks that compile and go wrong when they run

A function that is handed to bgtasks.Add runs after its request has been answered. bgvet
reports what is no longer there by then, and a few mistakes around Add: see the package's
documentation.

A comment "//bgvet:ignore reason" silences what is reported on its line or, where it has a
line of its own, on the next.`,
	URL: "https://pkg.go.dev/github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgvet",
	Run: run,
}

var goroutines bool

func init() {
	Analyzer.Flags.BoolVar(&goroutines, "goroutines", false,
		"also report go statements in HTTP handlers that do what bgtasks.Add is for")
}

// Relevant reports whether a package with these imports can have anything to report. Most
// packages of a program can't, and need not even be parsed.
func Relevant(imports func(path string) bool) bool {
	return imports(bgtasksPath) || imports(chimwPath) || goroutines && imports(httpPath)
}

func run(pass *analysis.Pass) (any, error) {
	imports := func(path string) bool { return importsPath(pass.Pkg, path) }
	if !Relevant(imports) || pass.Pkg.Path() == bgtasksPath {
		return nil, nil
	}
	p := load(pass)
	if imports(bgtasksPath) {
		p.findTasks()
		for _, t := range p.tasks {
			p.checkTask(t)
			p.checkChanged(t)
			p.checkRelease(t)
		}
		p.checkDropped()
	}
	if imports(chimwPath) {
		p.checkCompress()
	}
	if goroutines && imports(httpPath) {
		p.checkGoroutines()
	}
	p.report()
	return nil, nil
}

func importsPath(pkg *types.Package, path string) bool {
	for _, imported := range pkg.Imports() {
		if imported.Path() == path {
			return true
		}
	}
	return false
}
