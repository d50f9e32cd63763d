-- Appends to the end of audit_entry (its primary key).
INSERT INTO audit_entry (at, actor, action, object, outcome, tenant, jobs, details, request, source)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
