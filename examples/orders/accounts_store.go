package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// User is what the shop knows of one who logs in.
type User struct {
	ID         int64       `json:"user_id"`
	Name       string      `json:"name"`
	LoginCount int         `json:"login_count"`
	LastLogin  *time.Time  `json:"last_login,omitempty"`
	Audit      []UserEvent `json:"audit"`
}

// UserEvent is a row of the audit log.
type UserEvent struct {
	At      time.Time       `json:"at"`
	Event   string          `json:"event"`
	Details json.RawMessage `json:"details"`
}

// Passwords are kept as PBKDF2 with SHA-256; so many rounds take some tenths of a second.
const (
	hashRounds = 600_000
	hashLength = 32
)

func hashPassword(password string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, salt, hashRounds, hashLength)
}

// CreateUser returns the new user's number.
func (s *Store) CreateUser(ctx context.Context, in credentials) (id int64, err error) {
	salt := []byte(rand.Text())
	hash, err := hashPassword(in.Password, salt)
	if err != nil {
		return 0, err
	}
	err = s.write.QueryRowContext(ctx,
		`INSERT INTO users (name, salt, password_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id`,
		in.Name, salt, hash).Scan(&id)
	return id, orNotFound(err, problem(http.StatusConflict, "there is a user of this name"))
}

// Authenticate returns the number of the user that these are of. It takes as long for one
// that there is not, so that nobody learns who there is.
func (s *Store) Authenticate(ctx context.Context, in credentials) (id int64, err error) {
	salt, want := []byte(nil), make([]byte, hashLength)
	err = s.read.QueryRowContext(ctx, `SELECT id, salt, password_hash FROM users WHERE name = $1`, in.Name).Scan(&id, &salt, &want)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	got, hashErr := hashPassword(in.Password, salt)
	if hashErr != nil {
		return 0, hashErr
	}
	if subtle.ConstantTimeCompare(got, want) != 1 || err != nil {
		return 0, errUnauthorized
	}
	return id, nil
}

// insertSession keeps a token's hash only: who reads the database cannot log in with it.
func insertSession(ctx context.Context, tx Tx, token string, user int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO sessions (token_hash, user_id) VALUES ($1, $2)`, hashToken(token), user)
	return err
}

// UserByToken returns the user who was given that token.
func (s *Store) UserByToken(ctx context.Context, token string) (u User, err error) {
	var last sql.NullString
	err = s.read.QueryRowContext(ctx,
		`SELECT users.id, users.name, coalesce(login_count, 0), last_login
		 FROM sessions JOIN users ON users.id = sessions.user_id LEFT JOIN user_stats ON user_stats.user_id = users.id
		 WHERE token_hash = $1`, hashToken(token)).
		Scan(&u.ID, &u.Name, &u.LoginCount, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return u, errUnauthorized
	}
	if err != nil {
		return u, err
	}
	if u.LastLogin, err = parseNull(last); err != nil {
		return u, err
	}
	u.Audit, err = query(ctx, s.read, scanUserEvent,
		`SELECT at, event, details FROM user_audit WHERE user_id = $1 ORDER BY id DESC LIMIT $2`, u.ID, latest)
	return u, err
}

func scanUserEvent(rows *sql.Rows) (e UserEvent, err error) {
	var at, details string
	if err = rows.Scan(&at, &e.Event, &details); err == nil {
		e.Details = json.RawMessage(details)
		e.At, err = parseStamp(at)
	}
	return e, err
}
