-- Documents are JSON in `doc`; beside it stand the columns that queries need. `version`
-- is the truth about a document's version, whatever the JSON says. Times are microseconds
-- since 1970, ids are twelve bytes. Tables of large documents keep their rowid, because a
-- WITHOUT ROWID row over a quarter of a page spills into a page of its own.

CREATE TABLE users (
    id       BLOB    NOT NULL PRIMARY KEY,
    email    TEXT    NOT NULL UNIQUE,
    username TEXT    NOT NULL UNIQUE,
    version  INTEGER NOT NULL,
    doc      BLOB    NOT NULL
);

CREATE TABLE dead_tokens (
    jti        TEXT    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX dead_tokens_expiry ON dead_tokens (expires_at);

CREATE TABLE counters (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters VALUES ('products', 0);

-- A deleted product stays as a tombstone without a document.
CREATE TABLE products (
    id       BLOB    NOT NULL PRIMARY KEY,
    seller   BLOB    NOT NULL,
    sequence INTEGER NOT NULL UNIQUE,
    version  INTEGER NOT NULL,
    deleted  INTEGER NOT NULL DEFAULT 0,
    doc      BLOB
);
CREATE INDEX products_seller ON products (seller, deleted, id);

CREATE TABLE stock (
    product  BLOB    NOT NULL PRIMARY KEY,
    on_hand  INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    sold     INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    CHECK (reserved >= 0 AND on_hand >= reserved)
) WITHOUT ROWID;

-- state: 0 held, 1 committed, 2 released.
CREATE TABLE reservations (
    order_id   BLOB    NOT NULL PRIMARY KEY,
    state      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    fence      INTEGER NOT NULL,
    lines      BLOB    NOT NULL
) WITHOUT ROWID;
CREATE INDEX reservations_held ON reservations (state, expires_at) WHERE state = 0;

CREATE TABLE carts (
    user    BLOB    NOT NULL PRIMARY KEY,
    id      BLOB    NOT NULL,
    version INTEGER NOT NULL,
    doc     BLOB    NOT NULL
) WITHOUT ROWID;

CREATE TABLE orders (
    id           BLOB    NOT NULL PRIMARY KEY,
    user         BLOB    NOT NULL,
    cart_version INTEGER NOT NULL,
    status       TEXT    NOT NULL,
    due_at       INTEGER,
    version      INTEGER NOT NULL,
    doc          BLOB    NOT NULL
);
CREATE UNIQUE INDEX orders_cart ON orders (user, cart_version);
CREATE INDEX orders_user ON orders (user, id, status);
CREATE INDEX orders_due ON orders (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE idempotency_keys (
    user         BLOB    NOT NULL,
    key          TEXT    NOT NULL,
    request_hash TEXT    NOT NULL,
    order_id     BLOB    NOT NULL,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (user, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE payments (
    id                BLOB    NOT NULL PRIMARY KEY,
    order_id          BLOB    NOT NULL UNIQUE,
    razorpay_order_id TEXT    NOT NULL UNIQUE,
    due_at            INTEGER,
    version           INTEGER NOT NULL,
    doc               BLOB    NOT NULL
);
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE webhooks (
    event_id TEXT    NOT NULL PRIMARY KEY,
    seen_at  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE sandbox (
    key  TEXT NOT NULL PRIMARY KEY,
    page BLOB NOT NULL
);

-- AUTOINCREMENT, since a relay follows on from the highest sequence it has seen.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    doc BLOB NOT NULL
);

CREATE TABLE parked (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    queue    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    retry_at INTEGER,
    reason   TEXT    NOT NULL,
    doc      BLOB    NOT NULL
);
CREATE INDEX parked_due ON parked (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX parked_dead ON parked (id) WHERE retry_at IS NULL;

-- Event ids begin with the second they were made in, so forgetting is a range delete.
CREATE TABLE dashboard_applied (
    event BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

CREATE TABLE dashboard_orders (
    id         BLOB    NOT NULL PRIMARY KEY,
    version    INTEGER NOT NULL,
    status     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    doc        BLOB    NOT NULL
);

CREATE TABLE dashboard_lines (
    order_id    BLOB    NOT NULL,
    line        INTEGER NOT NULL,
    seller      BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    is_sale     INTEGER NOT NULL,
    product     BLOB    NOT NULL,
    title       TEXT    NOT NULL,
    quantity    INTEGER NOT NULL,
    price_minor INTEGER NOT NULL,
    currency    TEXT    NOT NULL,
    PRIMARY KEY (order_id, line)
) WITHOUT ROWID;
-- Covers all that metrics read, but for a title.
CREATE INDEX dashboard_lines_seller ON dashboard_lines
    (seller, created_at, order_id, is_sale, status, product, currency, quantity, price_minor);

CREATE TABLE dashboard_products (
    id      BLOB    NOT NULL PRIMARY KEY,
    seller  BLOB    NOT NULL,
    version INTEGER NOT NULL,
    gone    INTEGER NOT NULL DEFAULT 0,
    doc     BLOB
);
CREATE INDEX dashboard_products_seller ON dashboard_products (seller, gone, id);

CREATE TABLE dashboard_notes (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    doc  BLOB NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE mails (
    id        INTEGER PRIMARY KEY,
    event     BLOB NOT NULL,
    recipient TEXT NOT NULL,
    doc       BLOB NOT NULL,
    UNIQUE (event, recipient)
);
