package main

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var annsLogin = credentials{"ann", "correct horse"}

// logsIn returns the token.
func (p *program) logsIn(headers ...string) string {
	p.t.Helper()
	got := p.sendJSON("POST", "/login", annsLogin, headers...)
	require.Equal(p.t, 200, got.status, string(got.body))
	assert.Equal(p.t, "no-store", got.header.Get("Cache-Control"))
	var answer struct {
		Token string `json:"access_token"`
	}
	require.NoError(p.t, json.Unmarshal(got.body, &answer))
	return answer.Token
}

func (p *program) me(token string) (u User) {
	p.t.Helper()
	got := p.request("GET", "/me", http.Header{"Authorization": {"Bearer " + token}}, nil)
	require.Equal(p.t, 200, got.status, string(got.body))
	require.NoError(p.t, json.Unmarshal(got.body, &u))
	return u
}

func TestLoginUpdatesStatisticsAndWritesAnAuditRow(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.sendJSON("POST", "/users", annsLogin).assertJSON(t, 201, `{"user_id": 1, "status": "created"}`)
	assertProblem(t, p.sendJSON("POST", "/users", annsLogin), 409, "there is a user")
	p.logsIn()
	token := p.logsIn("User-Agent", `<script>alert("agent")</script>`)
	var u User
	eventually(t, "both logins are counted and audited", func() bool {
		u = p.me(token)
		return u.LoginCount == 2 && len(u.Audit) == 2
	})
	assert.Equal(t, "ann", u.Name)
	assert.Equal(t, "login", u.Audit[0].Event)
	assert.JSONEq(t, `{"ip_address": "127.0.0.1", "user_agent": "<script>alert(\"agent\")</script>"}`, string(u.Audit[0].Details))
	assert.WithinDuration(t, u.Audit[0].At, *u.LastLogin, 0)
}

func TestWrongLoginHasNoTasks(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.sendJSON("POST", "/users", annsLogin)
	for _, bad := range []credentials{{"ann", "wrong horse"}, {"bob", "correct horse"}, {"ann", ""}, {"", ""}, {"' OR 1=1 --", "' OR 1=1 --"}} {
		assertProblem(t, p.sendJSON("POST", "/login", bad), 401, "wrong")
	}
	assertProblem(t, p.request("GET", "/me", nil, nil), 401, "wrong")
	assertProblem(t, p.request("GET", "/me", http.Header{"Authorization": {"Bearer nonsense"}}, nil), 401, "wrong")
	assertProblem(t, p.sendJSON("POST", "/users", credentials{"bob", "short"}), 422, "password")
	assert.EqualValues(t, 0, p.stop()["Accepted"])
}

// login is one of a stored user.
func testLogin(t *testing.T, store *Store) loginEvent {
	t.Helper()
	id, err := store.CreateUser(t.Context(), annsLogin)
	require.NoError(t, err)
	return loginEvent{store, id, time.Now(), map[string]string{"ip_address": "127.0.0.1"}}
}

func count(t *testing.T, store *Store, table string) (n int) {
	t.Helper()
	require.NoError(t, store.read.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

func TestStatisticsThatFailAreRolledBackAndTheAuditIsNot(t *testing.T) {
	store := openTestStore(t)
	in := testLogin(t, store)
	_, err := store.write.ExecContext(t.Context(),
		`CREATE TRIGGER broken BEFORE INSERT ON logins_by_day BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
	require.NoError(t, err)
	require.ErrorContains(t, updateStatistics(t.Context(), in), "the disk is full")
	require.NoError(t, auditLogin(t.Context(), in))
	assert.Zero(t, count(t, store, "user_stats"), "its first statement had succeeded")
	assert.Equal(t, 1, count(t, store, "user_audit"))

	_, err = store.write.ExecContext(t.Context(), `DROP TRIGGER broken`)
	require.NoError(t, err)
	require.NoError(t, updateStatistics(t.Context(), in), "the connection was given back")
	assert.Equal(t, 1, count(t, store, "user_stats"))
	assert.Equal(t, 1, count(t, store, "logins_by_day"))
}

func TestAuditThatFailsLeavesTheStatistics(t *testing.T) {
	store := openTestStore(t)
	in := testLogin(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, updateStatistics(t.Context(), in))
	require.ErrorIs(t, auditLogin(ctx, in), context.Canceled)
	assert.Equal(t, 1, count(t, store, "user_stats"))
	assert.Zero(t, count(t, store, "user_audit"))
}

func TestNeitherPasswordNorTokenIsStored(t *testing.T) {
	store := openTestStore(t)
	id, err := store.CreateUser(t.Context(), annsLogin)
	require.NoError(t, err)
	var salt, hash []byte
	require.NoError(t, store.read.QueryRowContext(t.Context(), `SELECT salt, password_hash FROM users WHERE id = ?`, id).Scan(&salt, &hash))
	assert.Len(t, hash, hashLength)
	assert.NotContains(t, string(hash), annsLogin.Password)
	assert.NotEmpty(t, salt)
	got, err := store.Authenticate(t.Context(), annsLogin)
	require.NoError(t, err)
	assert.Equal(t, id, got)
}
