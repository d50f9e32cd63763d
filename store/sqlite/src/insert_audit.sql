-- The audit entry of insert.sql: ?2 now, ?3 who, ?4 what, ?5 the ids end to end, ?6 the request, ?7 its source.
-- Appends to the end of audit_entry (its primary key).
INSERT INTO audit_entry (at, actor, action, object, outcome, jobs, request, source)
VALUES (?2, ?3, 'job.enqueue', ?4, 'ok', ?5, ?6, ?7)
