-- Who is told of events by HTTP, and what is on its way. `webhooks` is another table: the
-- payment gateway's notices that were seen.
--
-- What attempts change stands in columns, so that an attempt is no conflict for an owner
-- who edits at that moment.
CREATE TABLE webhook_endpoints (
    id         BLOB    NOT NULL PRIMARY KEY,
    owner      BLOB    NOT NULL,
    role       TEXT    NOT NULL,
    failures   INTEGER NOT NULL DEFAULT 0,
    off_reason TEXT,
    off_at     INTEGER,
    version    INTEGER NOT NULL,
    doc        BLOB    NOT NULL
);
CREATE INDEX webhook_endpoints_owner ON webhook_endpoints (owner, id);
CREATE INDEX webhook_endpoints_role ON webhook_endpoints (role, id);

-- state: 0 waiting, 1 delivered, 2 failed. `due_at` is set for those that wait and whose
-- endpoint is on; `lease` while one of them is being sent.
CREATE TABLE webhook_deliveries (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB    NOT NULL UNIQUE,
    webhook    BLOB    NOT NULL,
    owner      BLOB    NOT NULL,
    event      BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    due_at     INTEGER,
    lease      INTEGER,
    tries      INTEGER NOT NULL,
    attempts   BLOB    NOT NULL,
    body       TEXT    NOT NULL
);
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (webhook, seq);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook) WHERE state = 0;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at, seq, webhook, owner, lease) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);
