// Package unrelated does not use the library: nothing in it is looked at.
package unrelated

import (
	"context"
	"net/http"
)

type list struct{}

func (list) Add(ctx context.Context, name string, fn func(context.Context) error) error { return nil }

func handler(w http.ResponseWriter, r *http.Request) {
	var bgtasks list
	bgtasks.Add(r.Context(), "task", func(context.Context) error {
		_, err := w.Write(nil)
		return err
	})
	go func() { w.WriteHeader(200) }()
}
