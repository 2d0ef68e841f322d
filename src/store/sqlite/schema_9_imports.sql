-- Imports of products. `due_at` is set for those that are not finished; their rows stand in
-- `import_rows` until they are.
CREATE TABLE IF NOT EXISTS imports (
    id         BLOB    NOT NULL PRIMARY KEY,
    seller     BLOB    NOT NULL,
    started_at INTEGER NOT NULL,
    due_at     INTEGER,
    version    INTEGER NOT NULL,
    doc        BLOB    NOT NULL
);
CREATE INDEX IF NOT EXISTS imports_due ON imports (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS imports_seller ON imports (seller, started_at);

CREATE TABLE IF NOT EXISTS import_rows (
    import BLOB NOT NULL PRIMARY KEY,
    rows   BLOB NOT NULL
);
