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
// then: "X-Fault: send confirmation=panic". Any number of them, separated by commas.
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

// fault returns what is to run instead of the steps named in the request.
func (a *api) fault(r *http.Request) (map[string]bgtasks.Func, error) {
	header := r.Header.Get(faultHeader)
	if header == "" || !a.faults {
		return nil, nil
	}
	instead := make(map[string]bgtasks.Func)
	for _, entry := range strings.Split(header, ",") {
		step, kind, _ := strings.Cut(strings.TrimSpace(entry), "=")
		fn, ok := faults[kind]
		if !ok || !slices.Contains(stepNames, step) {
			return nil, problem(http.StatusBadRequest, faultHeader+" must be a step's name, =, and fail, panic or hang")
		}
		instead[step] = fn
	}
	return instead, nil
}
