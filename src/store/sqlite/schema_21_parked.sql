-- Parked messages become documents, each under what it is, and the number that makes two tries of one differ.
CREATE TABLE doc_parked (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_parked
SELECT json_extract(CAST(doc AS TEXT), '$.id') || ':' || queue || ':' || id, 1, CAST(json_object(
    'name', json_extract(CAST(doc AS TEXT), '$.id') || ':' || queue || ':' || id,
    'id', id,
    'queue', queue,
    'envelope', json(CAST(doc AS TEXT)),
    'attempts', attempts,
    'retryAt', strftime('%Y-%m-%dT%H:%M:%S', retry_at / 1000000, 'unixepoch')
        || printf('.%06dZ', retry_at % 1000000),
    'reason', reason
) AS BLOB)
FROM parked;
DROP TABLE parked;
