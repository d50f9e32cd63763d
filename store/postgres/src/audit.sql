-- Appends to the end of audit_entry (its primary key).
INSERT INTO compline.audit_entry (at, actor, action, object, outcome, tenant, jobs, details, request, source)
VALUES (coalesce($1::timestamptz, $2::timestamptz, now()), $3, $4, $5, $6, $7, $8, $9, $10, $11)
