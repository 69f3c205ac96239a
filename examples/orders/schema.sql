CREATE TABLE IF NOT EXISTS items (
	id    TEXT PRIMARY KEY,
	name  TEXT NOT NULL,
	stock INTEGER NOT NULL CHECK (stock >= 0)
);

CREATE TABLE IF NOT EXISTS orders (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	customer_id TEXT NOT NULL,
	email       TEXT NOT NULL,
	created_at  TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS order_items (
	order_id INTEGER NOT NULL REFERENCES orders (id),
	item_id  TEXT NOT NULL REFERENCES items (id),
	quantity INTEGER NOT NULL CHECK (quantity > 0)
);
CREATE INDEX IF NOT EXISTS order_items_by_order ON order_items (order_id);

-- One row a step of an order; started_at is that of the latest attempt.
CREATE TABLE IF NOT EXISTS steps (
	order_id   INTEGER NOT NULL REFERENCES orders (id),
	position   INTEGER NOT NULL,
	name       TEXT NOT NULL,
	state      TEXT NOT NULL, -- pending, running, succeeded, failed, skipped
	attempt    INTEGER NOT NULL DEFAULT 0,
	started_at TEXT,
	ended_at   TEXT,
	error      TEXT,
	PRIMARY KEY (order_id, position)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS audit (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	order_id INTEGER NOT NULL REFERENCES orders (id),
	at       TEXT NOT NULL,
	event    TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_by_order ON audit (order_id);

INSERT OR IGNORE INTO items (id, name, stock) VALUES
	('apple', 'Apple', 1000000),
	('pear', 'Pear', 1000000),
	('quince', 'Quince', 3);

CREATE TABLE IF NOT EXISTS customers (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL,
	email      TEXT NOT NULL,
	sync       TEXT NOT NULL, -- pending, synced, failed
	sync_error TEXT,
	synced_at  TEXT
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS images (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	name        TEXT NOT NULL, -- as the client calls it; never the name of a file here
	user_id     INTEGER NOT NULL,
	uploaded_at TEXT NOT NULL,
	state       TEXT NOT NULL, -- processing, ready, failed
	error       TEXT
);

CREATE TABLE IF NOT EXISTS reports (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	kind         TEXT NOT NULL,
	since        TEXT NOT NULL,
	requested_at TEXT NOT NULL,
	state        TEXT NOT NULL, -- processing, completed, failed
	error        TEXT
);

CREATE TABLE IF NOT EXISTS users (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	name          TEXT NOT NULL UNIQUE,
	salt          BLOB NOT NULL,
	password_hash BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS sessions (
	token_hash BLOB PRIMARY KEY,
	user_id    INTEGER NOT NULL REFERENCES users (id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS user_stats (
	user_id     INTEGER PRIMARY KEY REFERENCES users (id),
	login_count INTEGER NOT NULL,
	last_login  TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS logins_by_day (
	day    TEXT PRIMARY KEY,
	logins INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS user_audit (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	user_id INTEGER NOT NULL REFERENCES users (id),
	at      TEXT NOT NULL,
	event   TEXT NOT NULL,
	details TEXT NOT NULL -- JSON
);
CREATE INDEX IF NOT EXISTS user_audit_by_user ON user_audit (user_id);
