package main

import (
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgvet"
	"golang.org/x/tools/go/analysis/singlechecker"
)

func main() { singlechecker.Main(bgvet.Analyzer) }
