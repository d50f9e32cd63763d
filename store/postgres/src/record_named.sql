-- One record, by what others call it. Indexes: record_name_pkey, record_pkey.
SELECT r.collection, r.tenant, r.key, r.names, r.state, r.due_at, r.body, r.version, r.made_at, r.changed_at, r.changed_by
FROM compline.record_name AS n
JOIN compline.record AS r ON r.id = n.record
WHERE n.collection = $1 AND n.name = $2 AND ($3::text IS NULL OR r.tenant = $3)
