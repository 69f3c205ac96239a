// Package chi stands for the real one: the same names and types, and no code.
package chi

import (
	"context"
	"net/http"
)

type Router interface {
	http.Handler
	Use(middlewares ...func(http.Handler) http.Handler)
	With(middlewares ...func(http.Handler) http.Handler) Router
	Group(fn func(r Router)) Router
	Route(pattern string, fn func(r Router)) Router
	Mount(pattern string, h http.Handler)
	Handle(pattern string, h http.Handler)
	HandleFunc(pattern string, h http.HandlerFunc)
	Patch(pattern string, h http.HandlerFunc)
	Get(pattern string, h http.HandlerFunc)
	Post(pattern string, h http.HandlerFunc)
	Put(pattern string, h http.HandlerFunc)
	Delete(pattern string, h http.HandlerFunc)
	Method(method, pattern string, h http.Handler)
	MethodFunc(method, pattern string, h http.HandlerFunc)
}

type Mux struct{ Router }

type Context struct{ URLParams []string }

func (c *Context) RoutePattern() string                      { return "" }
func (c *Context) URLParam(key string) string                { return "" }
func NewRouter() *Mux                                        { return nil }
func NewMux() *Mux                                           { return nil }
func URLParam(r *http.Request, key string) string            { return "" }
func URLParamFromCtx(ctx context.Context, key string) string { return "" }
func RouteContext(ctx context.Context) *Context              { return nil }

type Middlewares []func(http.Handler) http.Handler

func Chain(middlewares ...func(http.Handler) http.Handler) Middlewares { return nil }

func (mws Middlewares) Handler(h http.Handler) http.Handler         { return nil }
func (mws Middlewares) HandlerFunc(h http.HandlerFunc) http.Handler { return nil }
