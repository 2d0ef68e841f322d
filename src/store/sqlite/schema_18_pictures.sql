-- What another program hosts of the pictures becomes documents.
CREATE TABLE doc_pictures (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_pictures
SELECT image, 1, CAST(json_object(
    'image', lower(hex(image)),
    'product', lower(hex(product)),
    'createdAt', strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch') || printf('.%06dZ', created_at % 1000000),
    'file', json(CASE WHEN file_id IS NULL OR path IS NULL THEN 'null'
                      ELSE json_object('id', file_id, 'path', path) END),
    'dropped', json(CASE WHEN dropped THEN 'true' ELSE 'false' END),
    'attempts', attempts,
    'reason', reason,
    'dueAt', strftime('%Y-%m-%dT%H:%M:%S', due_at / 1000000, 'unixepoch') || printf('.%06dZ', due_at % 1000000),
    'lease', strftime('%Y-%m-%dT%H:%M:%S', lease / 1000000, 'unixepoch') || printf('.%06dZ', lease % 1000000),
    'announced', strftime('%Y-%m-%dT%H:%M:%S', nullif(look_by, 0) / 1000000, 'unixepoch')
        || printf('.%06dZ', look_by % 1000000)
) AS BLOB)
FROM pictures;
DROP TABLE pictures;
