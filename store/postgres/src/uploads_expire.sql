-- Deletes what is over and what no unfinished job names. A minute on top: a job that was just let in may not show yet.
-- Indexes: upload_expires_at, upload_use_pkey, job_pkey.
DELETE FROM compline.upload AS u
WHERE u.id IN (
    SELECT c.id FROM compline.upload AS c
    WHERE c.expires_at <= coalesce($1::timestamptz, now()) - interval '1 minute'
      AND NOT EXISTS (SELECT FROM compline.upload_use AS x JOIN compline.job AS j ON j.id = x.job_id
                      WHERE x.upload_id = c.id)
    ORDER BY c.expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED)
RETURNING u.id, u.tenant, u.state
