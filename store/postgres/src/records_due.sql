-- Records of a collection at which somebody has to look, the longest due first. Index: record_due.
SELECT r.collection, r.tenant, r.key, r.names, r.state, r.due_at, CASE WHEN $9 THEN r.body END AS body, r.version, r.made_at,
       r.changed_at, r.changed_by
FROM compline.record AS r
WHERE r.collection = $1
      AND ($2::text IS NULL OR r.tenant = $2)
      AND ($3::text[] IS NULL OR r.state = ANY ($3))
      AND r.due_at <= $4::timestamptz
      AND (r.due_at, r.key, coalesce(r.tenant, '')) > ($5::timestamptz, $6::text, $7::text)
ORDER BY r.due_at, r.key, coalesce(r.tenant, '')
LIMIT $8
