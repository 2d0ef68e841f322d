-- Payments, the gateway's reports and the sandbox's books as documents.
CREATE TABLE doc_payments (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_payments SELECT id, version, doc FROM payments;
DROP TABLE payments;

-- A body is bytes of any kind, so it is kept as their digits.
CREATE TABLE doc_webhooks_seen (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_webhooks_seen
SELECT event_id, 1, CAST(json_object(
    'report', json_object(
        'id', event_id,
        'body', lower(hex(body)),
        'receivedAt', strftime('%Y-%m-%dT%H:%M:%S', seen_at / 1000000, 'unixepoch') || printf('.%06dZ', seen_at % 1000000),
        'attempts', attempts
    ),
    'dueAt', strftime('%Y-%m-%dT%H:%M:%S', due_at / 1000000, 'unixepoch') || printf('.%06dZ', due_at % 1000000),
    'outcome', outcome
) AS BLOB)
FROM webhooks;
DROP TABLE webhooks;

CREATE TABLE doc_sandbox (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_sandbox
SELECT key, 1, CAST(json_object('key', key, 'page', CAST(page AS TEXT)) AS BLOB) FROM sandbox;
DROP TABLE sandbox;
