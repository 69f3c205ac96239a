package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
)

// What requests to external services have in common.

// noRedirects is a client that follows none: a redirect would turn a POST into a GET.
func noRedirects() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A RejectedError is an answer other than 2xx.
type RejectedError struct{ Status int }

// final reports that the same request would be answered in the same way the next time: it is wrong
// (4xx), or belongs elsewhere (3xx), and not only too much or too early.
func (e *RejectedError) final() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Status < 500
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("answered %d %s", e.Status, http.StatusText(e.Status))
}

// sendJSON sends v once. Its time is limited by ctx. A durable task may have to send it again after
// the program was killed: the receiver knows it by the key, which is the same each time.
func sendJSON(ctx context.Context, client *http.Client, method, address string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key := bgriver.Key(ctx); key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return &RejectedError{res.StatusCode}
	}
	return nil
}

// withoutURL is err without the URL that net/http puts into it: there may be a secret in that, and
// what is recorded of a task is shown to everybody.
func withoutURL(err error) error {
	var named *url.Error
	if errors.As(err, &named) {
		return fmt.Errorf("has not answered: %w", named.Err)
	}
	return err
}
