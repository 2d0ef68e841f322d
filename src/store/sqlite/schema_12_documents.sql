-- From here on a table of documents has the columns that its type declares (`documents.rs`): these steps bring
-- over what is stored, and the keys are made afterwards.
CREATE TABLE doc_carts (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_carts SELECT id, version, doc FROM carts;
DROP TABLE carts;

CREATE TABLE doc_conversations (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_conversations SELECT id, version, doc FROM conversations;
DROP TABLE conversations;

CREATE TABLE doc_tokens_spent (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_tokens_spent
SELECT lower(hex(user)) || ':' || day, 1,
       CAST(json_object('user', lower(hex(user)), 'day', day, 'tokens', tokens) AS BLOB)
FROM tokens_spent;
DROP TABLE tokens_spent;
