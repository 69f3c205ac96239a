package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/render"
)

// A login answers a token. Statistics and the audit log are written after the answer, each
// task with a transaction of its own: the handler's is over by then, and one that fails is
// rolled back without the other.

type credentials struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

func (c *credentials) check() error {
	if len(c.Password) < 8 || len(c.Password) > maxText {
		return unprocessable("password: from 8 to %d bytes", maxText)
	}
	return checkName(c.Name)
}

func (a *api) createUser(w http.ResponseWriter, r *http.Request) {
	var in credentials
	if !accept(w, r, &in) {
		return
	}
	id, err := a.store.CreateUser(r.Context(), in)
	if err != nil {
		fail(w, r, err)
		return
	}
	render.Status(r, http.StatusCreated)
	render.JSON(w, r, map[string]any{"user_id": id, "status": "created"})
}

func (a *api) login(w http.ResponseWriter, r *http.Request) {
	var in credentials
	if err := decode(r, &in); err != nil {
		fail(w, r, err)
		return
	}
	if !isText(in.Name) {
		fail(w, r, errUnauthorized)
		return
	}
	user, err := a.store.Authenticate(r.Context(), in)
	if err != nil {
		fail(w, r, err)
		return
	}
	token := rand.Text()
	err = a.store.change(r.Context(), func(ctx context.Context, tx Tx) ([]followUp, error) {
		return a.recordLogin(r, user), insertSession(ctx, tx, token, user)
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	render.JSON(w, r, map[string]any{"access_token": token, "token_type": "bearer"})
}

// recordLogin takes out of the request what the tasks are to say.
func (a *api) recordLogin(r *http.Request, user int64) []followUp {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	in := loginEvent{a.store, user, time.Now(), map[string]string{"ip_address": host, "user_agent": r.UserAgent()}}
	return []followUp{
		{"update statistics", bgtasks.Bind(updateStatistics, in), nil},
		{"write login audit", bgtasks.Bind(auditLogin, in), nil},
	}
}

type loginEvent struct {
	Store   *Store
	UserID  int64
	At      time.Time
	Details map[string]string
}

// updateStatistics counts the login for its user and for its day: both, or neither.
func updateStatistics(ctx context.Context, in loginEvent) error {
	return in.Store.tx(ctx, func(tx Tx) error {
		if _, err := tx.Exec(ctx,
			`INSERT INTO user_stats (user_id, login_count, last_login) VALUES ($1, 1, $2)
			 ON CONFLICT (user_id) DO UPDATE SET login_count = user_stats.login_count + 1,
			 last_login = CASE WHEN user_stats.last_login > excluded.last_login THEN user_stats.last_login ELSE excluded.last_login END`,
			in.UserID, stamp(in.At)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx,
			`INSERT INTO logins_by_day (day, logins) VALUES ($1, 1) ON CONFLICT (day) DO UPDATE SET logins = logins_by_day.logins + 1`,
			in.At.UTC().Format(time.DateOnly))
		return err
	})
}

// auditLogin writes who came from where, as JSON: a user agent can say anything.
func auditLogin(ctx context.Context, in loginEvent) error {
	details, err := json.Marshal(in.Details)
	if err != nil {
		return err
	}
	return in.Store.tx(ctx, func(tx Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO user_audit (user_id, at, event, details) VALUES ($1, $2, 'login', $3)`,
			in.UserID, stamp(in.At), string(details))
		return err
	})
}

// me shows what is known of the user whose token it is.
func (a *api) me(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		fail(w, r, errUnauthorized)
		return
	}
	u, err := a.store.UserByToken(r.Context(), token)
	w.Header().Set("Cache-Control", "no-store")
	answer(w, r, u, err)
}

var errUnauthorized = problem(http.StatusUnauthorized, "the name, password or token is wrong")

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
