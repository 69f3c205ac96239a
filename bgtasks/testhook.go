package bgtasks

import "github.com/chi-bgtasks/chi-bgtasks/internal/testhook"

func init() {
	testhook.Install = func(runner any, hook testhook.Func) {
		r := runner.(*Runner)
		r.mustBeFresh("bgtest.New")
		r.hook = hook
	}
}
