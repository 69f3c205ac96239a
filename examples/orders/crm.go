package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
)

// A CRM is an external service that keeps customers: PUT URL/{id} with JSON. Without a URL it
// is told nothing, which the log says.
type CRM struct {
	URL    string
	Client *http.Client
}

func newCRM(url string) *CRM { return &CRM{url, noRedirects()} }

// Put sends v once. Its time is limited by ctx.
func (c *CRM) Put(ctx context.Context, id string, v any) error {
	if c.URL == "" {
		slog.InfoContext(ctx, "no CRM is configured")
		return nil
	}
	if err := sendJSON(ctx, c.Client, http.MethodPut, c.URL+"/"+url.PathEscape(id), v); err != nil {
		return fmt.Errorf("CRM %w", err)
	}
	return nil
}
