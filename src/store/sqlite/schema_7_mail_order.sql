-- Announcements wait by themselves, so that no other mail waits behind them.
ALTER TABLE mails ADD COLUMN announcement INTEGER NOT NULL DEFAULT 0;
UPDATE mails SET announcement = 1 WHERE json_extract(CAST(doc AS TEXT), '$.announcement');
DROP INDEX mails_due;
CREATE INDEX mails_due ON mails (announcement, due_at, id, lease) WHERE due_at IS NOT NULL;
