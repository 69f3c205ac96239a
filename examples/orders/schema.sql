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
