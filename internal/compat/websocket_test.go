package compat_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	coder "github.com/coder/websocket"
	"github.com/go-chi/chi/v5"
	gorilla_websocket "github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An echo is a handler that upgrades to websocket and sends back what it gets, until the
// client closes.
type echo struct {
	name    string
	handler http.HandlerFunc
}

var echoes = []echo{
	{"coder/websocket", func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			return // it has answered
		}
		defer c.CloseNow()
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	}},
	{"gorilla/websocket", func(w http.ResponseWriter, r *http.Request) {
		var upgrader gorilla_websocket.Upgrader
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, message, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, message) != nil {
				return
			}
		}
	}},
}

// A talker is a client of an echo.
type talker struct {
	say func(text string) (answer string, err error)
	end func() error
}

func talkers(t *testing.T, url string) map[string]func() talker {
	url = strings.Replace(url, "http", "ws", 1)
	return map[string]func() talker{
		"coder/websocket": func() talker {
			c, _, err := coder.Dial(t.Context(), url, nil)
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.CloseNow() })
			return talker{func(text string) (string, error) {
				if err := c.Write(t.Context(), coder.MessageText, []byte(text)); err != nil {
					return "", err
				}
				_, answer, err := c.Read(t.Context())
				return string(answer), err
			}, func() error { return c.Close(coder.StatusNormalClosure, "") }}
		},
		"gorilla/websocket": func() talker {
			c, _, err := gorilla_websocket.DefaultDialer.Dial(url, nil)
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
			return talker{func(text string) (string, error) {
				if err := c.WriteMessage(gorilla_websocket.TextMessage, []byte(text)); err != nil {
					return "", err
				}
				_, answer, err := c.ReadMessage()
				return string(answer), err
			}, c.Close} // without a word
		},
	}
}

// serveEcho answers e with a task, which tells its outcome when the handler has returned.
func serveEcho(t *testing.T, e echo) (*servertest.Server, *bgtasks.Runner, <-chan bgtasks.Outcome) {
	run, outcomes := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)}), make(chan bgtasks.Outcome, 1)
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(run))
	r.Get("/echo", func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, bgtasks.Add(r.Context(), "say goodbye", func(ctx context.Context) error {
			o, _ := bgtasks.OutcomeFrom(ctx)
			outcomes <- o
			return ctx.Err()
		}))
		e.handler(w, r)
	})
	return servertest.Start(t, servertest.HTTP1, r), run, outcomes
}

func TestWebsocketConversationGoesOnUndisturbedAndThenItsTaskRuns(t *testing.T) {
	for _, e := range echoes {
		for _, client := range []string{"coder/websocket", "gorilla/websocket"} {
			t.Run(e.name+" with "+client, func(t *testing.T) {
				t.Parallel()
				s, run, outcomes := serveEcho(t, e)
				c := talkers(t, s.URL+"/echo")[client]()
				for i := range 100 {
					text := strings.Repeat(fmt.Sprint(i, " "), 1+i*10)
					answer, err := c.say(text)
					require.NoError(t, err)
					require.Equal(t, text, answer)
				}
				assert.Empty(t, outcomes, "the conversation goes on")
				assert.EqualValues(t, 1, run.Stats().Pending)
				require.NoError(t, c.end())
				assert.True(t, (<-outcomes).Hijacked)
				require.NoError(t, run.Wait(t.Context()))
			})
		}
	}
}

func TestRefusedUpgradeRunsItsTask(t *testing.T) {
	for _, e := range echoes {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s, run, outcomes := serveEcho(t, e)
			res, _, err := s.Get(t.Context(), "/echo") // which asks for no upgrade
			require.NoError(t, err)
			o := <-outcomes
			assert.Equal(t, res.StatusCode, o.Status)
			assert.True(t, o.Failed() && !o.Hijacked, "%+v", o)
			require.NoError(t, run.Wait(t.Context()))
		})
	}
}
