-- Only for the one who holds the job. Primary key of job; appends to the end of audit_entry.
INSERT INTO audit_entry (at, actor, action, object, outcome, tenant, details, request, source)
SELECT ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 FROM job
WHERE id = ?1 AND fence = ?2 AND worker = ?3 AND state = 'running'
