-- Mails as documents, each under its event and address.
CREATE TABLE doc_mails (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_mails
SELECT lower(hex(event)) || ':' || recipient, 1, CAST(json_object(
    'record', json_object(
        'id', id,
        'event', lower(hex(event)),
        'mail', json(CAST(doc AS TEXT)),
        'state', CASE state WHEN 0 THEN 'kept' WHEN 1 THEN 'waiting' WHEN 2 THEN 'sent' ELSE 'failed' END,
        'attempts', attempts,
        'reason', reason,
        'changedAt', strftime('%Y-%m-%dT%H:%M:%S', changed_at / 1000000, 'unixepoch')
            || printf('.%06dZ', changed_at % 1000000),
        'nextTryAt', strftime('%Y-%m-%dT%H:%M:%S', due_at / 1000000, 'unixepoch') || printf('.%06dZ', due_at % 1000000)
    ),
    'lease', strftime('%Y-%m-%dT%H:%M:%S', lease / 1000000, 'unixepoch') || printf('.%06dZ', lease % 1000000)
) AS BLOB)
FROM mails;
DROP TABLE mails;
