-- What somebody who wants to change a record or hold it has to know. It stays so until the transaction ends. Index: record_key.
SELECT r.id, r.version, r.held_by, r.held_fence
FROM compline.record AS r
WHERE r.collection = $1 AND r.key = $2 AND coalesce(r.tenant, '') = coalesce($3::text, '') AND r.tenant IS NOT DISTINCT FROM $3
FOR UPDATE
