-- The delivery log: what became of each mail. state: 0 kept, 1 waiting, 2 sent, 3 failed.
-- The mails of before were kept; their age is counted from now.
ALTER TABLE mails ADD COLUMN state      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mails ADD COLUMN attempts   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mails ADD COLUMN reason     TEXT;
ALTER TABLE mails ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
UPDATE mails SET changed_at = unixepoch() * 1000000;
CREATE INDEX mails_state ON mails (state, changed_at);
