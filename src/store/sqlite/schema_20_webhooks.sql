-- Webhooks and their deliveries become documents. Each webhook that is on is looked at once; what waits for one
-- that is off has a date again, which counts when that is switched on.
CREATE TABLE doc_webhook_endpoints (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_webhook_endpoints
SELECT id, version, CAST(json_set(CAST(doc AS TEXT),
    '$.place', row_number() OVER (PARTITION BY owner ORDER BY id) - 1,
    '$.dueAt', json_extract(CAST(doc AS TEXT), '$.createdAt'),
    '$.version', version,
    '$.consecutiveFailures', failures,
    '$.off', json(CASE WHEN off_reason IS NULL THEN 'null' ELSE json_object(
        'reason', off_reason,
        'at', strftime('%Y-%m-%dT%H:%M:%S', off_at / 1000000, 'unixepoch') || printf('.%06dZ', off_at % 1000000)
    ) END)
) AS BLOB)
FROM webhook_endpoints;
DROP TABLE webhook_endpoints;

CREATE TABLE doc_webhook_deliveries (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_webhook_deliveries
SELECT id, 1, CAST(json_object(
    'id', lower(hex(id)),
    'webhook', lower(hex(webhook)),
    'event', lower(hex(event)),
    'name', name,
    'body', body,
    'attempts', json(CAST(attempts AS TEXT)),
    'tries', tries,
    'state', CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'delivered' ELSE 'failed' END,
    'nextTryAt', strftime('%Y-%m-%dT%H:%M:%S', due / 1000000, 'unixepoch') || printf('.%06dZ', due % 1000000),
    'createdAt', strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
        || printf('.%06dZ', created_at % 1000000),
    'owner', lower(hex(owner)),
    'lease', strftime('%Y-%m-%dT%H:%M:%S', lease / 1000000, 'unixepoch') || printf('.%06dZ', lease % 1000000)
) AS BLOB)
FROM (SELECT *, CASE state WHEN 0 THEN coalesce(due_at, created_at) END AS due FROM webhook_deliveries);
DROP TABLE webhook_deliveries;
