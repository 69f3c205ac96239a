//go:build go1.21

package changed

import (
	"context"
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func sharedLoopVariable(w http.ResponseWriter, r *http.Request) {
	for i := 0; i < 3; i++ {
		_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
			use(i) // want `i is changed after Add`
			return nil
		})
	}
}
