-- A record that is locked and was found as it was looked at; from here on this attempt holds it, or nobody does. Index: record_pkey.
UPDATE compline.record
SET names = $3, state = $4, due_at = $5, body = $6::json, version = version + 1, changed_at = coalesce($1::timestamptz, now()),
    changed_by = $7, held_by = $8, held_fence = $9
WHERE id = $2
