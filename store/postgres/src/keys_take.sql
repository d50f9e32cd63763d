-- Takes a unique key, or one whose time has passed. No row: somebody holds it. Index: unique_key_pkey.
INSERT INTO compline.unique_key AS k (key, job_id, release, until) VALUES ($2, $3, $4, $5)
ON CONFLICT (key) DO UPDATE SET job_id = excluded.job_id, release = excluded.release, until = excluded.until
WHERE k.until IS NOT NULL AND k.until <= coalesce($1::timestamptz, now())
RETURNING job_id
