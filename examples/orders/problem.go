package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
)

// A Problem is the one form in which errors are answered.
type Problem struct {
	Status    int    `json:"status"`
	Title     string `json:"error"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

func problem(status int, detail string) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Detail: detail}
}

func unprocessable(format string, args ...any) *Problem {
	return problem(http.StatusUnprocessableEntity, fmt.Sprintf(format, args...))
}

// orNotFound is err, except that a row which is not there is a problem of the client's.
func orNotFound(err, none error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return none
	}
	return err
}

func (p *Problem) Error() string { return p.Detail }

// fail answers err: as it is if it is a Problem, by what it means if that is known, and
// otherwise as an error of ours, whose text is for the log only. It is JSON whatever the
// client accepts, where render.Render would take XML to be another way.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	p := *asProblem(r, err) // some are shared
	p.RequestID = middleware.GetReqID(r.Context())
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	render.Status(r, p.Status)
	render.JSON(w, r, p)
}

func asProblem(r *http.Request, err error) *Problem {
	var p *Problem
	var item *ItemError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &item):
		return problem(http.StatusUnprocessableEntity, item.Error())
	case errors.Is(err, ErrNoOrder):
		return problem(http.StatusNotFound, err.Error())
	case errors.Is(err, bgtasks.ErrFull), errors.Is(err, bgtasks.ErrShutdown):
		return problem(http.StatusServiceUnavailable, "too much to do at the moment, try again")
	}
	slog.ErrorContext(r.Context(), "request failed", "error", err)
	if isAway(err) {
		return problem(http.StatusServiceUnavailable, "the database is away at the moment, try again")
	}
	return problem(http.StatusInternalServerError, "")
}
