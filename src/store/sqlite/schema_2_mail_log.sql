-- The delivery log: what became of each mail. state: 0 kept, 1 waiting, 2 sent, 3 failed.
-- `due_at` is set for those that wait; `lease` while somebody sends one.
-- The mails of before were kept; their age is counted from now.
ALTER TABLE mails ADD COLUMN state      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mails ADD COLUMN attempts   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mails ADD COLUMN reason     TEXT;
ALTER TABLE mails ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mails ADD COLUMN due_at     INTEGER;
ALTER TABLE mails ADD COLUMN lease      INTEGER;
UPDATE mails SET changed_at = unixepoch() * 1000000;
CREATE INDEX mails_state ON mails (state, changed_at);
CREATE INDEX mails_due ON mails (due_at, id, lease) WHERE due_at IS NOT NULL;
