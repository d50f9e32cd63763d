-- Primary key of approval, indexes approval_open and approval_job. ?8 now, ?9 when it is over.
INSERT INTO approval (id, action, what, salt, sha256, tenant, author, asked_at, expires_at, people, permission, job_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
