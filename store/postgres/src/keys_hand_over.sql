-- Takes keys ($2) away from the jobs that make room ($1) and still live, for those that come in their place. The jobs are
-- locked first, as by whoever ends them. Index: unique_key_pkey.
DELETE FROM compline.unique_key
WHERE key = ANY ($2)
  AND job_id = ANY (ARRAY(SELECT id FROM compline.job WHERE id = ANY ($1) ORDER BY id FOR UPDATE))
RETURNING key, job_id
