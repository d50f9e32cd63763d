-- A record that was not there. Index: record_key.
INSERT INTO record (collection, tenant, key, names, state, due_at, body, version, made_at, changed_at, changed_by)
VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?1, ?1, ?9)
RETURNING id
