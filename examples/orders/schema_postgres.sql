-- The tables of schema.sql, as Postgres calls things.

CREATE TABLE IF NOT EXISTS items (
	id    TEXT PRIMARY KEY,
	name  TEXT NOT NULL,
	stock BIGINT NOT NULL CHECK (stock >= 0)
);

CREATE TABLE IF NOT EXISTS orders (
	id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	customer_id TEXT NOT NULL,
	email       TEXT NOT NULL,
	created_at  TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS order_items (
	rowid    BIGINT GENERATED ALWAYS AS IDENTITY, -- which SQLite has by itself
	order_id BIGINT NOT NULL REFERENCES orders (id),
	item_id  TEXT NOT NULL REFERENCES items (id),
	quantity BIGINT NOT NULL CHECK (quantity > 0)
);
CREATE INDEX IF NOT EXISTS order_items_by_order ON order_items (order_id);

CREATE TABLE IF NOT EXISTS steps (
	order_id   BIGINT NOT NULL REFERENCES orders (id),
	position   INTEGER NOT NULL,
	name       TEXT NOT NULL,
	state      TEXT NOT NULL,
	attempt    INTEGER NOT NULL DEFAULT 0,
	started_at TEXT,
	ended_at   TEXT,
	error      TEXT,
	PRIMARY KEY (order_id, position)
);

CREATE TABLE IF NOT EXISTS audit (
	id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	order_id BIGINT NOT NULL REFERENCES orders (id),
	at       TEXT NOT NULL,
	event    TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_by_order ON audit (order_id);

INSERT INTO items (id, name, stock) VALUES
	('apple', 'Apple', 1000000),
	('pear', 'Pear', 1000000),
	('quince', 'Quince', 3)
ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS customers (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL,
	email      TEXT NOT NULL,
	sync       TEXT NOT NULL,
	sync_error TEXT,
	synced_at  TEXT
);

CREATE TABLE IF NOT EXISTS images (
	id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name        TEXT NOT NULL,
	user_id     BIGINT NOT NULL,
	uploaded_at TEXT NOT NULL,
	state       TEXT NOT NULL,
	error       TEXT
);

CREATE TABLE IF NOT EXISTS reports (
	id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind         TEXT NOT NULL,
	since        TEXT NOT NULL,
	requested_at TEXT NOT NULL,
	state        TEXT NOT NULL,
	error        TEXT
);

CREATE TABLE IF NOT EXISTS users (
	id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name          TEXT NOT NULL UNIQUE,
	salt          BYTEA NOT NULL,
	password_hash BYTEA NOT NULL
);

CREATE TABLE IF NOT EXISTS sessions (
	token_hash BYTEA PRIMARY KEY,
	user_id    BIGINT NOT NULL REFERENCES users (id)
);

CREATE TABLE IF NOT EXISTS user_stats (
	user_id     BIGINT PRIMARY KEY REFERENCES users (id),
	login_count BIGINT NOT NULL,
	last_login  TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS logins_by_day (
	day    TEXT PRIMARY KEY,
	logins BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS user_audit (
	id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id BIGINT NOT NULL REFERENCES users (id),
	at      TEXT NOT NULL,
	event   TEXT NOT NULL,
	details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS user_audit_by_user ON user_audit (user_id);
