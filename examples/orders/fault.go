package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// faultHeader asks for a step of this order to go wrong, with -faults, to see what happens
// then: "X-Fault: send confirmation=panic". Any number of them, separated by commas. Durable steps
// go wrong in the first attempt of their unit only, so of several the first: what there is to see is
// that there is another.
const faultHeader = "X-Fault"

var errFault = errors.New("it was asked to fail")

var faults = map[string]bgtasks.Func{
	"fail":  func(context.Context) error { return errFault },
	"panic": func(context.Context) error { panic(errFault) },
	"hang": func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	},
}

// fault returns, by the names of steps, what is to go wrong according to the request.
func (a *api) fault(r *http.Request) (map[string]string, error) {
	header := r.Header.Get(faultHeader)
	if header == "" || !a.faults {
		return nil, nil
	}
	asked := make(map[string]string)
	for _, entry := range strings.Split(header, ",") {
		step, kind, _ := strings.Cut(strings.TrimSpace(entry), "=")
		if faults[kind] == nil || !slices.Contains(stepNames, step) {
			return nil, problem(http.StatusBadRequest, faultHeader+" must be a step's name, =, and fail, panic or hang")
		}
		asked[step] = kind
	}
	return asked, nil
}

// instead is what is to run in place of those steps.
func instead(asked map[string]string) map[string]bgtasks.Func {
	fns := make(map[string]bgtasks.Func)
	for step, kind := range asked {
		fns[step] = faults[kind]
	}
	return fns
}
