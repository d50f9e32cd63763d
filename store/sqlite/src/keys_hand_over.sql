-- Takes keys (?2) away from the jobs that make room (?1) and still live, for those that come in their place. Primary keys
-- of unique_key and job.
DELETE FROM unique_key
WHERE key IN (SELECT unhex(value) FROM json_each(?2))
  AND job_id IN (SELECT job.id FROM json_each(?1) AS old CROSS JOIN job ON job.id = unhex(old.value))
RETURNING key, job_id
