-- A record that was not there, held by the attempt that makes it, or by nobody. Index: record_key.
INSERT INTO record (collection, tenant, key, names, state, due_at, body, version, made_at, changed_at, changed_by, held_by,
                    held_fence)
VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?1, ?1, ?9, ?10, ?11)
RETURNING id
