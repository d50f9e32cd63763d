-- An attempt is done with a thing. A later attempt of the same job that has it by now has another fence. Index: record_key.
UPDATE compline.record AS r SET held_by = NULL, held_fence = NULL
WHERE r.collection = $1 AND r.key = $2 AND coalesce(r.tenant, '') = coalesce($3::text, '') AND r.tenant IS NOT DISTINCT FROM $3
  AND r.held_by = $4 AND r.held_fence = $5
