-- Appends to the end of audit_entry (its primary key).
INSERT INTO audit_entry (at, actor, action, object, outcome, tenant, jobs, details)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
