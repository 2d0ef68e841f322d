-- What is to be done about pictures that another program hosts. `due_at` is set for those to
-- be looked at; `lease` while somebody does; `look_by` when it was announced.
CREATE TABLE pictures (
    image      BLOB    NOT NULL PRIMARY KEY,
    product    BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    file_id    TEXT,
    path       TEXT,
    dropped    INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    reason     TEXT,
    look_by    INTEGER NOT NULL DEFAULT 0,
    due_at     INTEGER,
    lease      INTEGER
);
CREATE INDEX pictures_due ON pictures (due_at, image, lease) WHERE due_at IS NOT NULL;
