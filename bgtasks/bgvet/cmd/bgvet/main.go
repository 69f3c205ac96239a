// Command bgvet finds background tasks that compile and go wrong when they run: package
// bgvet tells which. It works on its own and as a tool of go vet:
//
//	bgvet ./...
//	go vet -vettool=$(which bgvet) ./...
//
// The flag -goroutines has it report plain go statements in handlers as well. Findings can be
// fixed, where that is safe, by bgvet -fix ./..., and shown in context by -c=2.
package main

import (
	"os"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgvet"
	"golang.org/x/tools/go/analysis/singlechecker"
)

func main() {
	if u := readUnit(os.Args[1:]); u != nil {
		os.Exit(u.check())
	}
	singlechecker.Main(bgvet.Analyzer)
}
