-- A record that was not there, held by the attempt that makes it, or by nobody; no row when somebody was quicker. Index: record_key.
INSERT INTO compline.record AS r (collection, tenant, key, names, state, due_at, body, version, made_at, changed_at, changed_by,
                                  held_by, held_fence)
VALUES ($2, $3, $4, $5, $6, $7, $8::json, 1, coalesce($1::timestamptz, now()), coalesce($1::timestamptz, now()), $9, $10, $11)
ON CONFLICT (collection, key, coalesce(tenant, '')) DO NOTHING
RETURNING r.id
