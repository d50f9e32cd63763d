-- The first in rank of a queue without tenants. Index job_ready, then job's primary key.
UPDATE job
SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = ?1, claimed_at = ?2
WHERE id IN (SELECT id FROM job
             WHERE queue = ?3 AND state = 'available' AND tenant IS NULL
             ORDER BY rank, id
             LIMIT ?4)
RETURNING id, fence, kind, queue, args, attempt, max_attempts, tenant, tags, metadata, rank
