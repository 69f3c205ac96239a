package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxBody and the limits below keep a request, and the tasks that it causes, small.
const (
	maxBody     = 1 << 20
	maxLines    = 100
	maxText     = 254
	maxQuantity = 1_000_000
)

// orderInput is what a client sends. An order without a customer is accepted here: that is
// what its first task finds out.
type orderInput struct {
	CustomerID string `json:"customer_id"`
	Email      string `json:"email"`
	Items      []Line `json:"items"`
}

// decode reads the one JSON value of a request into v. Its errors are problems.
func decode(r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return problem(http.StatusUnsupportedMediaType, "the content type must be application/json")
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil || !tooLarge(err) {
			return problem(http.StatusBadRequest, "there is more than one JSON value")
		}
	}
	if tooLarge(err) {
		return problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return problem(http.StatusBadRequest, "the JSON is incomplete")
	}
	return problem(http.StatusBadRequest, strings.TrimPrefix(err.Error(), "json: "))
}

func tooLarge(err error) bool {
	var e *http.MaxBytesError
	return errors.As(err, &e)
}

// check finds what is wrong with an input that is well-formed.
func (in *orderInput) check() error {
	if len(in.CustomerID) > maxText || hasControl(in.CustomerID) {
		return unprocessable("customer_id is too long or has control characters in it")
	}
	if len(in.Email) > maxText {
		return unprocessable("email is too long")
	}
	if _, err := parseAddress(in.Email); err != nil {
		return unprocessable("email: %v", err)
	}
	if n := len(in.Items); n == 0 || n > maxLines {
		return unprocessable("items: there must be from 1 to %d", maxLines)
	}
	for i, line := range in.Items {
		if line.ID == "" {
			return unprocessable("items[%d]: id is missing", i)
		}
		if line.Quantity < 1 || line.Quantity > maxQuantity {
			return unprocessable("items[%d]: quantity must be from 1 to %d", i, maxQuantity)
		}
	}
	return nil
}
