-- Records of a collection by key. Indexes: record_key, record_of_tenant for one tenant's, record_state for those in few states.
SELECT r.collection, r.tenant, r.key, r.names, r.state, r.due_at, CASE WHEN $7 THEN r.body END AS body, r.version, r.made_at,
       r.changed_at, r.changed_by
FROM compline.record AS r
WHERE r.collection = $1
      AND ($2::text IS NULL OR r.tenant = $2)
      AND ($3::text[] IS NULL OR r.state = ANY ($3))
      AND (r.key, coalesce(r.tenant, '')) > ($4::text, $5::text)
ORDER BY r.key, coalesce(r.tenant, '')
LIMIT $6
