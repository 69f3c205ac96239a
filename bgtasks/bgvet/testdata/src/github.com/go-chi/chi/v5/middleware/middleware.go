// Package middleware stands for the real one: the same names and types, and no code.
package middleware

import (
	"context"
	"net/http"
	"time"
)

type Compressor struct{ _ int }

type WrapResponseWriter interface {
	http.ResponseWriter
	Status() int
	BytesWritten() int
	Unwrap() http.ResponseWriter
}

func (c *Compressor) Handler(next http.Handler) http.Handler                         { return nil }
func NewCompressor(level int, types ...string) *Compressor                           { return nil }
func Compress(level int, types ...string) func(http.Handler) http.Handler            { return nil }
func RequestID(next http.Handler) http.Handler                                       { return nil }
func Logger(next http.Handler) http.Handler                                          { return nil }
func Recoverer(next http.Handler) http.Handler                                       { return nil }
func RealIP(next http.Handler) http.Handler                                          { return nil }
func GetReqID(ctx context.Context) string                                            { return "" }
func NewWrapResponseWriter(w http.ResponseWriter, protoMajor int) WrapResponseWriter { return nil }

func Timeout(d time.Duration) func(http.Handler) http.Handler                  { return nil }
func AllowContentEncoding(encodings ...string) func(http.Handler) http.Handler { return nil }
