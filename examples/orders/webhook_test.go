package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWebhookPostsJSON(t *testing.T) {
	rec := startReceiver(t, statuses(200, 201, 299))
	hook := newWebhook(rec.url)
	for range 3 {
		require.NoError(t, hook.Post(t.Context(), map[string]any{"a": "<&>", "n": 1}))
	}
	got := rec.deliveries()
	require.Len(t, got, 3)
	for _, d := range got {
		assert.Equal(t, http.MethodPost, d.method)
		assert.Equal(t, "application/json", d.contentType)
		assert.JSONEq(t, `{"a": "<&>", "n": 1}`, string(d.body))
	}
}

func TestWebhookWithoutAnAddressDoesNothing(t *testing.T) {
	require.NoError(t, newWebhook("").Post(t.Context(), 1))
}

func TestAnswerOtherThan2xxIsAnError(t *testing.T) {
	for _, code := range []int{304, 400, 404, 422, 499, 500, 503} {
		rec := startReceiver(t, statuses(code))
		var rejected *RejectedError
		require.ErrorAs(t, newWebhook(rec.url).Post(t.Context(), 1), &rejected)
		assert.Equal(t, code, rejected.Status)
		assert.Len(t, rec.deliveries(), 1)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		rec := startReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				http.Redirect(w, r, "/elsewhere", code)
			}
		})
		var rejected *RejectedError
		require.ErrorAs(t, newWebhook(rec.url).Post(t.Context(), 1), &rejected)
		assert.Equal(t, code, rejected.Status)
		assert.Len(t, rec.deliveries(), 1, "a GET that the receiver answers is no delivery")
	}
}

func TestHangingReceiverIsLeftAtTheEndOfTheContext(t *testing.T) {
	answer, _ := held()
	rec := startReceiver(t, answer)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- newWebhook(rec.url).Post(ctx, 1) }()
	eventually(t, "the request", func() bool { return len(rec.deliveries()) == 1 })
	cancel()
	require.ErrorIs(t, receive(t, "the end of Post", ended), context.Canceled)
}

func TestReceiverThatIsNotThereIsAnError(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	require.ErrorContains(t, newWebhook("http://"+addr).Post(t.Context(), 1), "refused")
}

// Errors are shown to everybody, and whoever knows a webhook's URL can often post to it.
func TestErrorDoesNotTellTheURL(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, url := range []string{gone.URL + "/secret?key=secret", "http://127.0.0.1:1/%zz/secret"} {
		for _, err := range []error{newWebhook(url).Post(t.Context(), 1), newCRM(url).Put(t.Context(), "c-1", 1)} {
			require.ErrorContains(t, err, "has not answered: ")
			assert.NotContains(t, err.Error(), "secret")
		}
	}
}

func TestEndlessAnswerIsNotReadToItsEnd(t *testing.T) {
	rec := startReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, "and so on "); err != nil {
				return
			}
		}
	})
	require.NoError(t, newWebhook(rec.url).Post(t.Context(), 1))
}

func TestOnlyRequestsThatMaySucceedAreSentAgain(t *testing.T) {
	wait := unlessRejected(func(attempt int, _ error) (time.Duration, bool) {
		return time.Duration(attempt) * time.Second, true
	})
	for _, code := range []int{302, 400, 404, 409, 422, 499} {
		_, again := wait(1, errors.Join(&RejectedError{code}))
		assert.False(t, again, code)
	}
	for _, err := range []error{&RejectedError{429}, &RejectedError{408}, &RejectedError{500}, &RejectedError{503}, io.ErrUnexpectedEOF, context.DeadlineExceeded} {
		pause, again := wait(2, err)
		assert.True(t, again, err)
		assert.Equal(t, 2*time.Second, pause, "it is the wait's pause")
	}
}
