-- One record. Index: record_key.
SELECT collection, tenant, key, names, state, due_at, body, version, made_at, changed_at, changed_by
FROM record
WHERE collection = ?1 AND key = ?2 AND coalesce(tenant, '') = coalesce(?3, '') AND tenant IS ?3
      AND (?4 IS NULL OR tenant = ?4)
