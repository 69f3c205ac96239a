package chimw_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// syncUser tells the CRM at that address about the user of the request.
func syncUser(ctx context.Context, crm string) error {
	id := chi.URLParamFromCtx(ctx, "id")
	if id == "." || id == ".." {
		return errors.New("no user's ID: " + id)
	}
	return sendWebhook(ctx, webhook{crm + "/api/users/" + url.PathEscape(id), map[string]string{"id": id}})
}

func removeFile(_ context.Context, name string) error { return os.Remove(name) }

// What another service has to be told, and what is left to be removed, is no reason to
// keep the client waiting.
func Example_externalServices() {
	crm := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("CRM:", r.Method, r.URL.Path)
	}))
	defer crm.Close()

	runner := bgtasks.New(bgtasks.Config{TaskTimeout: 30 * time.Second})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/users/{id}", func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "sync with CRM", bgtasks.Bind(syncUser, crm.URL))
		render.JSON(w, r, map[string]string{"status": "updated"})
	})
	var report string
	r.Post("/reports", func(w http.ResponseWriter, r *http.Request) {
		file, err := os.CreateTemp("", "report-*")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		report = file.Name()
		_ = file.Close()
		_ = bgtasks.Add(r.Context(), "clean up", bgtasks.Bind(removeFile, report))
		render.Status(r, http.StatusAccepted)
		render.JSON(w, r, map[string]string{"status": "processing"})
	})

	for _, path := range []string{"/users/7", "/reports"} {
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, path, nil))
	}
	_ = runner.Wait(context.Background())
	_, err := os.Stat(report)
	fmt.Println("report removed:", os.IsNotExist(err))
	// Output:
	// CRM: POST /api/users/7
	// report removed: true
}
