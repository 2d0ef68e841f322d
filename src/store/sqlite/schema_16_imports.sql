-- Imports and their rows as documents.
CREATE TABLE doc_import_rows (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_import_rows
SELECT r.import, 1, CAST(json_object(
    'import', lower(hex(r.import)),
    'run', coalesce(json_extract(CAST(i.doc AS TEXT), '$.run'), 1),
    'rows', CAST(r.rows AS TEXT)
) AS BLOB)
FROM import_rows r LEFT JOIN imports i ON i.id = r.import;
DROP TABLE import_rows;

CREATE TABLE doc_imports (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, doc BLOB NOT NULL);
INSERT INTO doc_imports SELECT id, version, doc FROM imports;
DROP TABLE imports;
