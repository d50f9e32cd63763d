-- One record, by what others call it. Primary keys of record_name and record.
SELECT r.collection, r.tenant, r.key, r.names, r.state, r.due_at, r.body, r.version, r.made_at, r.changed_at, r.changed_by
FROM record_name AS n
JOIN record AS r ON r.id = n.record
WHERE n.collection = ?1 AND n.name = ?2 AND (?3 IS NULL OR r.tenant = ?3)
