-- Records of a collection by key. Index: record_key.
SELECT collection, tenant, key, names, state, due_at, CASE WHEN ?7 THEN body END AS body, version, made_at, changed_at, changed_by
FROM record
WHERE collection = ?1
      AND (?2 IS NULL OR tenant = ?2)
      AND (?3 IS NULL OR state IN (SELECT value FROM json_each(?3)))
      AND (key, coalesce(tenant, '')) > (?4, ?5)
ORDER BY key, coalesce(tenant, '')
LIMIT ?6
