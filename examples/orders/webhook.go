package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// A Webhook receives JSON by POST. Without a URL it receives nothing, which the log says.
type Webhook struct {
	URL    string
	Client *http.Client
}

func newWebhook(url string) *Webhook { return &Webhook{url, noRedirects()} }

// Post sends v once. Its time is limited by ctx.
func (h *Webhook) Post(ctx context.Context, v any) error {
	if h.URL == "" {
		slog.InfoContext(ctx, "no webhook is configured")
		return nil
	}
	if err := sendJSON(ctx, h.Client, http.MethodPost, h.URL, v); err != nil {
		return fmt.Errorf("webhook %w", err)
	}
	return nil
}

type waitFunc = func(attempt int, err error) (time.Duration, bool)

// unlessRejected is wait, except that a request which the receiver finds wrong (4xx), or
// would have elsewhere (3xx), is not sent again: it would be as wrong the next time. See final.
func unlessRejected(wait waitFunc) waitFunc {
	return func(attempt int, err error) (time.Duration, bool) {
		var rejected *RejectedError
		if errors.As(err, &rejected) && rejected.final() {
			return 0, false
		}
		return wait(attempt, err)
	}
}
