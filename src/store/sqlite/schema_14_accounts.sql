-- Users and dead tokens become documents. When a token was killed was not known: at the latest, it was now.
CREATE TABLE doc_users (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_users SELECT id, version, doc FROM users;
DROP TABLE users;

CREATE TABLE doc_dead_tokens (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_dead_tokens
SELECT jti, 1, CAST(json_object(
    'jti', jti,
    'expiresAt', strftime('%Y-%m-%dT%H:%M:%S', expires_at / 1000000, 'unixepoch')
        || printf('.%06dZ', expires_at % 1000000),
    'killedAt', strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
) AS BLOB)
FROM dead_tokens;
DROP TABLE dead_tokens;
