-- Orders become documents, and idempotency keys part of the orders that were made with them.
CREATE TABLE doc_orders (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_orders
SELECT orders.id, orders.version,
       CASE WHEN key IS NULL THEN doc ELSE CAST(json_set(CAST(doc AS TEXT), '$.keys', json_object('idempotency', json_object(
           'key', key, 'requestHash', request_hash, 'generation', 0,
           'expiresAt', strftime('%Y-%m-%dT%H:%M:%S', expires_at / 1000000, 'unixepoch')
               || printf('.%06dZ', expires_at % 1000000)
       ))) AS BLOB) END
FROM orders
LEFT JOIN idempotency_keys ON order_id = orders.id AND expires_at > unixepoch() * 1000000;
DROP TABLE idempotency_keys;
DROP TABLE orders;
