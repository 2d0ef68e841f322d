-- Products as documents; a deleted one stays as a tombstone, with an empty document.
CREATE TABLE doc_products (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL, seq INTEGER);
INSERT INTO doc_products SELECT id, version, coalesce(doc, x''), sequence FROM products;
DROP TABLE products;
