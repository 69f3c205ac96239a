// Package render stands for the real one: the same names and types, and no code.
package render

import (
	"io"
	"net/http"
)

type M map[string]any

type Renderer interface {
	Render(w http.ResponseWriter, r *http.Request) error
}

type Binder interface{ Bind(r *http.Request) error }

func Bind(r *http.Request, v Binder) error                            { return nil }
func Decode(r *http.Request, v any) error                             { return nil }
func DecodeJSON(r io.Reader, v any) error                             { return nil }
func Status(r *http.Request, status int)                              {}
func JSON(w http.ResponseWriter, r *http.Request, v any)              {}
func PlainText(w http.ResponseWriter, r *http.Request, v string)      {}
func NoContent(w http.ResponseWriter, r *http.Request)                {}
func Render(w http.ResponseWriter, r *http.Request, v Renderer) error { return nil }

func HTML(w http.ResponseWriter, r *http.Request, v string) {}
