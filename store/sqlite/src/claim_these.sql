-- Those that claim_fair.sql chose. Primary key of job.
UPDATE job
SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = ?1, claimed_at = ?2
WHERE id IN (SELECT unhex(chosen.value) FROM json_each(?3) AS chosen)
RETURNING id, worker, fence, kind, queue, args, attempt, max_attempts, tenant, tags, metadata, rank
