-- What somebody who wants to change a record or hold it has to know. Index: record_key.
SELECT id, version, held_by, held_fence
FROM record
WHERE collection = ?1 AND key = ?2 AND coalesce(tenant, '') = coalesce(?3, '') AND tenant IS ?3
