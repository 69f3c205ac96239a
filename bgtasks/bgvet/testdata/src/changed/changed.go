package changed

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/render"
)

type order struct {
	ID    int
	State string
}

func use(v ...any) {}

func reassigned(w http.ResponseWriter, r *http.Request) {
	state := "new"
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		use(state) // want `state is changed after Add, on line 28, and the task sees the change: .* bgtasks.Bind\(fn, state\)`
		return nil
	})
	state = "answered"
	use(state)
}

func partly(w http.ResponseWriter, r *http.Request) {
	o, seen, list, n := order{}, map[string]bool{}, []int{1}, 0
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		use(o, seen, list, n) // want `o is changed after Add` `seen is changed after Add` `list is changed after Add` `^n is changed after Add`
		return nil
	})
	o.State = "answered"
	seen["x"] = true
	list[0] = 2
	n++
}

func inALoop(w http.ResponseWriter, r *http.Request, rows *sql.Rows) {
	var o order
	for rows.Next() {
		_ = rows.Scan(&o.ID)
		_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
			use(o) // want `o is changed after Add`
			return nil
		})
	}
}

func address(w http.ResponseWriter, r *http.Request, dec *json.Decoder) {
	var o order
	for dec.More() {
		_ = dec.Decode(&o)
		_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(send, &o)) // want `o is changed after Add`
	}
}

func send(ctx context.Context, o *order) error { return nil }

func reused(w http.ResponseWriter, r *http.Request) {
	var buf bytes.Buffer
	err := bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		use(buf.Bytes()) // want `buf is changed after Add`
		return nil
	})
	if err == nil {
		buf.Reset()
	}
}

func throughAHelper(w http.ResponseWriter, r *http.Request) {
	state := "new"
	later(r, func() {
		use(state) // want `state is changed after Add`
	})
	state = "answered"
}

func later(r *http.Request, fn func()) {
	_ = bgtasks.Add(r.Context(), "task", func(context.Context) error { fn(); return nil })
}

// Near misses.

func before(w http.ResponseWriter, r *http.Request) {
	state := "new"
	state += "er"
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		use(state)
		return nil
	})
}

func bound(w http.ResponseWriter, r *http.Request) {
	o := order{}
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(func(ctx context.Context, o order) error {
		use(o)
		return nil
	}, o))
	o.State = "answered"
}

func perIteration(w http.ResponseWriter, r *http.Request) {
	for i := 0; i < 3; i++ {
		for _, s := range []string{"a"} {
			id := fmt.Sprint(i, s)
			_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
				use(i, s, id)
				return nil
			})
		}
	}
}

func otherBranch(w http.ResponseWriter, r *http.Request) {
	state := "new"
	if r.Method == "GET" {
		_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
			use(state)
			return nil
		})
	} else {
		state = "other"
	}
	use(state)
}

func returned(w http.ResponseWriter, r *http.Request) {
	state := "new"
	if r.Method == "GET" {
		_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
			use(state)
			return nil
		})
		return
	}
	state = "other"
	use(state)
}

func whenRefused(w http.ResponseWriter, r *http.Request) {
	state := "new"
	if err := bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		use(state)
		return nil
	}); err != nil {
		state = "refused"
	}
	render.JSON(w, r, state)
}

func whenRefusedLater(w http.ResponseWriter, r *http.Request) {
	state := "new"
	err := bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		use(state)
		return nil
	})
	if err != nil {
		state = "refused"
		render.JSON(w, r, state)
	}
}

func shadowed(w http.ResponseWriter, r *http.Request) {
	state := "new"
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		use(state)
		return nil
	})
	{
		state := "mine"
		state = "changed"
		use(state)
	}
}

func setByTheTask(w http.ResponseWriter, r *http.Request) {
	var err error
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		err = send(ctx, nil)
		return err
	})
	err = json.NewDecoder(nil).Decode(nil)
	use(err)
}

func sharedByPointer(w http.ResponseWriter, r *http.Request) {
	o := &order{}
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		use(o)
		return nil
	})
	o.State = "answered"
	render.JSON(w, r, &o)
}
