-- Deletes what is over and what no unfinished job names, a minute late as on PostgreSQL. Indexes: upload_expires_at, the
-- primary keys of upload_use and job.
DELETE FROM upload
WHERE id IN (
    SELECT c.id FROM upload AS c
    WHERE c.expires_at <= ?1 - 60000000
      AND NOT EXISTS (SELECT 1 FROM upload_use AS x JOIN job AS j ON j.id = x.job_id WHERE x.upload_id = c.id)
    ORDER BY c.expires_at
    LIMIT ?2)
RETURNING id, tenant, state
