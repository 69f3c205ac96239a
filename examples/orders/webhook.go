package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// A Webhook receives JSON by POST. Without a URL it receives nothing, which the log says.
type Webhook struct {
	URL    string
	Client *http.Client
}

// newWebhook returns one that follows no redirect, which would turn the POST into a GET.
func newWebhook(url string) *Webhook {
	return &Webhook{URL: url, Client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A RejectedError is an answer other than 2xx.
type RejectedError struct{ Status int }

func (e *RejectedError) Error() string {
	return fmt.Sprintf("webhook answered %d %s", e.Status, http.StatusText(e.Status))
}

// Post sends v once. Its time is limited by ctx.
func (h *Webhook) Post(ctx context.Context, v any) error {
	if h.URL == "" {
		slog.InfoContext(ctx, "no webhook is configured")
		return nil
	}
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := h.Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return &RejectedError{res.StatusCode}
	}
	return nil
}

type waitFunc = func(attempt int, err error) (time.Duration, bool)

// unlessRejected is wait, except that a request which the receiver finds wrong (4xx), or
// would have elsewhere (3xx), is not sent again: it would be as wrong the next time.
func unlessRejected(wait waitFunc) waitFunc {
	return func(attempt int, err error) (time.Duration, bool) {
		var rejected *RejectedError
		if errors.As(err, &rejected) && rejected.Status < 500 {
			return 0, false
		}
		return wait(attempt, err)
	}
}
