package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func requestContext(id string) context.Context {
	return context.WithValue(context.Background(), middleware.RequestIDKey, id)
}

// logged is the line that a JSON logger writes.
func logged(t *testing.T, log func(*slog.Logger)) (line string, fields map[string]any) {
	t.Helper()
	var out bytes.Buffer
	log(newLogger(&out, "auto"))
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	require.NoError(t, json.Unmarshal(out.Bytes(), &fields))
	return out.String(), fields
}

func TestLogIsJSONWhereThereIsNoTerminal(t *testing.T) {
	_, fields := logged(t, func(log *slog.Logger) { log.Info("hello", "n", 1) })
	assert.Equal(t, "hello", fields["msg"])
	assert.NotContains(t, fields, "request_id")

	file, err := os.Create(t.TempDir() + "/log")
	require.NoError(t, err)
	defer file.Close()
	newLogger(file, "auto").Info("hello")
	data, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	assert.True(t, json.Valid(data))
}

func TestLogFormatCanBeChosen(t *testing.T) {
	var out bytes.Buffer
	newLogger(&out, "text").Info("hello")
	assert.Contains(t, out.String(), "level=INFO msg=hello")
}

func TestLineOfARequestHasItsID(t *testing.T) {
	for what, log := range map[string]func(*slog.Logger){
		"plain":                 func(log *slog.Logger) { log.InfoContext(requestContext("r-1"), "hello") },
		"with attributes":       func(log *slog.Logger) { log.With("a", 1).InfoContext(requestContext("r-1"), "hello", "b", 2) },
		"that says it itself":   func(log *slog.Logger) { log.InfoContext(requestContext("r-1"), "hello", "request_id", "r-1", "b", 2) },
		"without that context":  func(log *slog.Logger) { log.Info("hello", "request_id", "r-1") },
		"with other values too": func(log *slog.Logger) { log.WarnContext(requestContext("r-1"), "hello", "error", os.ErrClosed) },
	} {
		t.Run(what, func(t *testing.T) {
			line, fields := logged(t, log)
			assert.Equal(t, "r-1", fields["request_id"])
			assert.Equal(t, 1, strings.Count(line, "request_id"), "once")
		})
	}
}

func TestGroupKeepsTheRequestID(t *testing.T) {
	line, _ := logged(t, func(log *slog.Logger) {
		log.WithGroup("g").InfoContext(requestContext("r-1"), "hello", "a", 1)
	})
	assert.Contains(t, line, `"request_id":"r-1"`)
}
