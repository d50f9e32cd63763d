-- granted -> used, once and in time. $1 now, $2 the approval. Index: approval_pkey.
UPDATE compline.approval
SET state = 'used', ended_at = coalesce($1::timestamptz, now())
WHERE id = $2 AND state = 'granted' AND expires_at > coalesce($1::timestamptz, now()) AND job_id IS NULL
RETURNING id
