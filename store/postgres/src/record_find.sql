-- One record. Index: record_key.
SELECT r.collection, r.tenant, r.key, r.names, r.state, r.due_at, r.body, r.version, r.made_at, r.changed_at, r.changed_by
FROM compline.record AS r
WHERE r.collection = $1 AND r.key = $2 AND coalesce(r.tenant, '') = coalesce($3::text, '') AND r.tenant IS NOT DISTINCT FROM $3
      AND ($4::text IS NULL OR r.tenant = $4)
