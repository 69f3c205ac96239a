package ignore

import (
	"context"
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func task(ctx context.Context) error { return nil }

func handler(w http.ResponseWriter, r *http.Request) {
	bgtasks.Add(r.Context(), "task", task) //bgvet:ignore best effort
	//bgvet:ignore best effort
	bgtasks.Add(r.Context(), "task", task)
	//bgvet:ignore best effort
	// and more about it
	bgtasks.Add(r.Context(), "task", task)

	bgtasks.Add(r.Context(), "task", task) //bgvet:ignore only this line
	bgtasks.Add(r.Context(), "task", task) // want `a refused task`

	//bgvet:ignore // want `this ignores nothing without a reason`
	bgtasks.Add(r.Context(), "task", task) // want `a refused task`
	//bgvet:ignored is another word
	bgtasks.Add(r.Context(), "task", task) // want `a refused task`
}
