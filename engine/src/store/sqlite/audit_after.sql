-- A range of audit_entry's primary key.
SELECT seq, at, actor, action, object, outcome, tenant, jobs, details
FROM audit_entry
WHERE seq > ?1
ORDER BY seq
LIMIT ?2
