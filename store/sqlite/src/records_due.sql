-- Records of a collection at which somebody has to look, the longest due first. Index: record_due.
SELECT collection, tenant, key, names, state, due_at, CASE WHEN ?9 THEN body END AS body, version, made_at, changed_at, changed_by
FROM record
WHERE collection = ?1
      AND (?2 IS NULL OR tenant = ?2)
      AND (?3 IS NULL OR state IN (SELECT value FROM json_each(?3)))
      AND due_at <= ?4
      AND (due_at, key, coalesce(tenant, '')) > (?5, ?6, ?7)
ORDER BY due_at, key, coalesce(tenant, '')
LIMIT ?8
