package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
)

// maxBody and the limits below keep a request, and the tasks that it causes, small.
const (
	maxBody     = 1 << 20
	maxLines    = 100   // of an order
	maxDelivery = 1_000 // lines
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

// accept decodes and checks what a client has sent, or answers what is wrong with it.
func accept(w http.ResponseWriter, r *http.Request, in interface{ check() error }) bool {
	err := decode(r, in)
	if err == nil {
		err = in.check()
	}
	if err != nil {
		fail(w, r, err)
	}
	return err == nil
}

// checkName is for what people call things: any text of one line.
func checkName(name string) error {
	if name == "" || len(name) > maxText || hasControl(name) {
		return unprocessable("name is missing, too long or has control characters in it")
	}
	return nil
}

// isText reports whether Postgres would store s, which SQLite always does.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// number is the {id} of a path; what is none is no such thing as well.
func number(r *http.Request, none error) (int64, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return 0, none
	}
	return id, nil
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
		if line.ID == "" || !isText(line.ID) {
			return unprocessable("items[%d]: id is missing or no text", i)
		}
		if line.Quantity < 1 || line.Quantity > maxQuantity {
			return unprocessable("items[%d]: quantity must be from 1 to %d", i, maxQuantity)
		}
	}
	return nil
}
