package chimw_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// webhook is a call to somebody else's server.
type webhook struct {
	URL   string
	Event any
}

// sendWebhook gives up when its context ends: by a timeout or a shutdown. It is not
// written in another way than a task that does not wait for anything.
func sendWebhook(ctx context.Context, hook webhook) error {
	body, err := json.Marshal(hook.Event)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("webhook: %s", res.Status)
	}
	return nil
}

// The receiver is down at first: the task tries again, and nobody waits for it.
func Example_webhook() {
	calls := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		var event map[string]string
		_ = json.NewDecoder(r.Body).Decode(&event)
		fmt.Println("webhook:", event["event"], event["image"])
	}))
	defer receiver.Close()

	runner := bgtasks.New(bgtasks.Config{})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/images/{name}", func(w http.ResponseWriter, r *http.Request) {
		event := map[string]string{"event": "image_uploaded", "image": chi.URLParam(r, "name")}
		err := bgtasks.Add(r.Context(), "send webhook", bgtasks.Bind(sendWebhook, webhook{receiver.URL, event}),
			bgtasks.Timeout(10*time.Second), bgtasks.Retry(3, bgtasks.Backoff(time.Millisecond, time.Second)))
		fmt.Println("added:", err == nil)
		render.JSON(w, r, map[string]string{"status": "processing"})
	})

	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/images/cat", nil))
	_ = runner.Wait(context.Background())
	fmt.Println("calls:", calls)
	// Output:
	// added: true
	// webhook: image_uploaded cat
	// calls: 2
}
