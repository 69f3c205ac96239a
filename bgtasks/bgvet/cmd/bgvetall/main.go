// Command bgvetall has the checks of go vet and those of bgvet, for one run instead of two:
//
//	go vet -vettool=$(which bgvetall) ./...
//
// takes about as long as go vet alone. The checks of go vet are those of the golang.org/x/tools
// that bgvetall was built with.
package main

import (
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgvet"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() { unitchecker.Main(append(vet.Suite, bgvet.Analyzer)...) }
