package chimw_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
)

func TestSmoke(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		run := bgtasks.New(bgtasks.Config{})
		r := chi.NewRouter()
		r.Use(chimw.BackgroundTasks(run))
		r.Route("/a", func(r chi.Router) {
			r.Get("/{id}", func(w http.ResponseWriter, r *http.Request) {
				bgtasks.Add(r.Context(), "x", func(ctx context.Context) error {
					in, _ := bgtasks.InfoFrom(ctx)
					o, _ := bgtasks.OutcomeFrom(ctx)
					_, err := w.Write([]byte("hi"))
					fmt.Printf("%+v %+v %s %s %v\n", in, o, chi.URLParamFromCtx(ctx, "id"), chi.URLParam(r, "id"), err)
					return nil
				})
				io.WriteString(w, "ok")
			})
		})
		ts := httptest.NewUnstartedServer(r)
		chimw.Attach(ts.Config)
		if h2 {
			ts.EnableHTTP2 = true
			ts.StartTLS()
		} else {
			ts.Start()
		}
		for range 3 {
			res, err := ts.Client().Get(ts.URL + "/a/5")
			if err != nil {
				t.Fatal(err)
			}
			io.ReadAll(res.Body)
			res.Body.Close()
			start := time.Now()
			run.Wait(context.Background())
			fmt.Println(res.Proto, time.Since(start))
		}
		ts.Close()
	}
}
