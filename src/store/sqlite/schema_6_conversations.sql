-- Conversations with the assistant. `summary` is what a list shows of one.
CREATE TABLE conversations (
    id         BLOB    NOT NULL PRIMARY KEY,
    user       BLOB    NOT NULL,
    version    INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    summary    BLOB    NOT NULL,
    doc        BLOB    NOT NULL
);
CREATE INDEX conversations_user ON conversations (user, updated_at, id);
CREATE INDEX conversations_age ON conversations (updated_at);

-- Tokens of a model that each user spent, by day since 1970.
CREATE TABLE tokens_spent (
    user   BLOB    NOT NULL,
    day    INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (user, day)
) WITHOUT ROWID;
CREATE INDEX tokens_spent_day ON tokens_spent (day);
